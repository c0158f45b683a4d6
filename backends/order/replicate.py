"""Replicate: one batch to the leader's own log and to every follower in sync, side by side."""

import structlog

from backends.failures import Diverged
from backends.order.followers import Followers, SyncTarget
from backends.order.store import OrderStore
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Call, Outcome, Steps, Together
from common.process.failpoints import failpoint
from protos import order_pb2

log = structlog.get_logger()

# A follower without success within this time is left out. Orders stall for 1 s at most: what the batch takes besides,
# and the turn of an order that came meanwhile, is in that second too.
FOLLOWER_TIMEOUT_S = 0.8


class Replication:
    """Brings the followers in sync up to date and knows what is committed. Used by one thread at a time."""

    def __init__(self, store: OrderStore, followers: Followers, min_in_sync: int) -> None:
        self._store = store
        self._followers = followers
        self._min_in_sync = min_in_sync
        # Invariant: every row up to it is synced here, at every follower in sync, and at min_in_sync replicas in all.
        self.committed_number = 0

    def replicate(self, rows: bytes, *, asks_all: bool = False) -> Steps[None]:
        """Append rows (they continue the store) here and at the followers in sync or joining; then count who holds all.

        With `asks_all` the followers that lack nothing are asked too, whether they still hold everything: one that came
        back with less than it had would be taken for one in sync until the next order.

        A joining follower is sent what it lacks and the batch in one message, so that its membership and the batch
        are one step.

        Raises:
            RpcFailure: the rows could not be appended here. The followers may hold them: that is harmless.
            Diverged: a follower's checked log shows another history. Metadata: number, chain.
        """
        prev_number, prev_chain = self._store.position
        cluster_id = self._store.cluster_id
        end = prev_number + rows.count(b"\n")

        def append() -> None:
            if rows:
                self._store.extend(cluster_id, prev_number, prev_chain, rows)
                failpoint("leader-appended")

        members = self._followers.sync_targets()
        lacking = [member for member in members if asks_all or member.number < end or member.is_joining]
        holders = 1 + len(members) - len(lacking)
        calls = [self._sync_call(member, prev_number, rows) for member in lacking]
        outcomes: list[Outcome] = yield Together(calls, meanwhile=append)
        for member, outcome in zip(lacking, outcomes, strict=True):
            holders += self._record(member, outcome, end)
        if holders >= self._min_in_sync:
            self.committed_number = end

    def _sync_call(self, target: SyncTarget, prev_number: int, rows: bytes) -> Call:
        lacking = self._store.read(target.number + 1, prev_number)
        request = order_pb2.SyncOrderRequest(
            cluster_id=self._store.cluster_id,
            prev_number=target.number,
            prev_chain=self._store.chain_at(target.number),
            rows=lacking + rows,
        )
        return Call(target.address, request, FOLLOWER_TIMEOUT_S)

    def _record(self, target: SyncTarget, outcome: Outcome, end: int) -> bool:
        """Record one follower's answer; whether it holds everything."""
        if isinstance(outcome, order_pb2.SyncOrderResponse) and outcome.equal_number == end:
            if self._followers.mark_in_sync(target.replica_id, end):
                log.info("follower in sync", follower_id=target.replica_id, last_number=end)
            return True
        if isinstance(outcome, RpcFailure) and outcome.reason is Reason.DIVERGED:
            raise Diverged(
                f"replica {target.replica_id}: {outcome.message}",
                metadata={**outcome.metadata, "replica_id": target.replica_id},
            )
        error = str(outcome) if isinstance(outcome, RpcFailure) else f"answered for {outcome}, not for {end}"
        if self._followers.mark_faulty(target.replica_id, error):
            log.warning("follower faulty", follower_id=target.replica_id, error=error)
        return False
