"""A replica's line to the other replicas: what it sends them, and what their answers mean.

Nobody else builds a message to a replica, or reads its answer: Replicate, promotion and catch-up all go through here.
"""

from dataclasses import dataclass
from typing import Any

from backends.failures import Diverged
from backends.order.store import OrderStore
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Call, Outcome, Steps
from protos import order_pb2

# A follower without success within this time is left out. Orders stall for 1 s at most: what the batch takes besides,
# and the turn of an order that came meanwhile, is in that second too.
FOLLOWER_TIMEOUT_S = 0.8
PAGE_TIMEOUT_S = 10.0
PAGE_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Peer:
    """Another replica of the cluster, and where it is called."""

    replica_id: int
    address: str


class PeerLink:
    """Shows our log to peers and compares theirs with it. Any thread may use it; it keeps nothing of a peer.

    What a peer answers makes it equal to us up to a number, or *diverged*: a checked log of another history, which
    proves that the catalog lost history and is raised as Diverged (metadata: number and chain, the peer's own, and
    replica_id); or *faulty*: it does not count, and any other RpcFailure says why (no answer, a gap, a full disk, ...).
    What another replica than the one that is meant answers never counts: WRONG_REPLICA.
    """

    def __init__(self, store: OrderStore) -> None:
        self._store = store

    # -- Rows ------------------------------------------------------------------------------------------------------

    def sync_call(self, peer: Peer, after: int, last_number: int, new_rows: bytes = b"") -> Call:
        """Return the SyncOrder that sends our rows after+1..last_number, and new ones that continue them."""
        rows = self._store.read(after + 1, last_number) + new_rows
        return Call(peer.address, self._rows_after(order_pb2.SyncOrderRequest, peer, after, rows), FOLLOWER_TIMEOUT_S)

    def check_equal(self, peer: Peer, outcome: Outcome, number: int) -> None:
        """Return if the outcome of a call with rows up to `number` shows that the peer holds ours up to there, on disk.

        Raises:
            Diverged, RpcFailure: see the class.
        """
        answer: Any = self._answer(peer, outcome)
        if answer.equal_number != number:
            raise RpcFailure(Reason.FOLLOWER, f"it answered for {answer.equal_number}, not for {number}")

    def send_page(self, peer: Peer, after: int) -> Steps[int]:
        """Send a page of our rows above `after`; return the number up to which the peer then holds ours, on disk.

        Raises:
            Diverged, RpcFailure: see the class.
        """
        rows = self._store.read_after(after, PAGE_BYTES)
        request = self._rows_after(order_pb2.BulkUpsertRequest, peer, after, rows)
        outcome: Outcome
        try:
            outcome = yield Call(peer.address, request, PAGE_TIMEOUT_S)
        except RpcFailure as failure:
            outcome = failure
        number = after + rows.count(b"\n")
        self.check_equal(peer, outcome, number)
        return number

    def _rows_after(self, kind: type[Any], peer: Peer, after: int, rows: bytes) -> Any:
        return kind(
            to=order_pb2.Addressee(replica_id=peer.replica_id),
            cluster_id=self._store.cluster_id,
            prev_number=after,
            prev_chain=self._store.chain_at(after),
            rows=rows,
        )

    # -- Health ----------------------------------------------------------------------------------------------------

    def health_call(self, peer: Peer, timeout_s: float) -> Call:
        """Return the call that asks for a peer's position."""
        return Call(peer.address, order_pb2.HealthCheckRequest(), timeout_s)

    def health(self, peer: Peer, outcome: Outcome) -> order_pb2.HealthCheckResponse:
        """Return the answer to `health_call`, if the peer gave it, and not another replica or one of another cluster.

        Raises:
            RpcFailure: see the class.
        """
        health: order_pb2.HealthCheckResponse = self._answer(peer, outcome)
        if health.cluster_id not in ("", self._store.cluster_id):
            raise RpcFailure(Reason.WRONG_CLUSTER, f"it belongs to cluster {health.cluster_id}")
        return health

    def common_number(self, peer: Peer, health: order_pb2.HealthCheckResponse, journal_last: int) -> int:
        """Return the number up to which a peer's log is a prefix of ours, or ours of it.

        `journal_last` is the catalog's last number, read after the peer's: a longer log proves lost history. One that
        is longer than ours alone has read ahead of us; it is compared when it gets rows.

        Raises:
            Diverged: see the class.
        """
        number, own_last = health.last_number, self._store.last_number
        is_other = number > journal_last or (
            0 < number <= own_last and self._store.chain_at(number) != health.last_chain
        )
        if is_other:
            raise Diverged(
                f"replica {peer.replica_id} holds {number} orders of another history than our {own_last}",
                metadata={"number": number, "chain": health.last_chain, "replica_id": peer.replica_id},
            )
        return min(number, own_last)

    def _answer(self, peer: Peer, outcome: Outcome) -> Any:
        """Return a peer's answer, if it is the peer's; raise what the call failed with."""
        if not isinstance(outcome, RpcFailure):
            answer: Any = outcome
            # 0: a process of the version before, which does not say; its health did, before it joined.
            if answer.replica_id not in (0, peer.replica_id):
                raise RpcFailure(Reason.WRONG_REPLICA, f"{peer.address} is replica {answer.replica_id}")
            return answer
        if outcome.reason is Reason.DIVERGED:
            raise Diverged(
                f"replica {peer.replica_id}: {outcome.message}",
                metadata={**outcome.metadata, "replica_id": peer.replica_id},
            )
        raise outcome
