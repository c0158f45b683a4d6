"""Promotion: how a replica, even a stale or an empty one, becomes a correct leader (docs/PROTOCOL.md, 5)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from backends.failures import Diverged
from backends.order.catalog_link import CatalogLink
from backends.order.epochs import begin_epoch, read_missing, show_log
from backends.order.followers import Followers
from backends.order.replicate import FOLLOWER_TIMEOUT_S
from backends.order.store import OrderStore
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Call, Outcome, Steps, Together
from common.process.failpoints import failpoint
from protos import order_pb2

log = structlog.get_logger()

# Reading for longer than this, the replica answers BACKFILLING and goes on reading: the present leader works meanwhile.
BACKFILL_LIMIT_S = 1.0
# How long a catalog that is slow to sync an epoch is asked again, within what the manager waits for a promotion.
BEGIN_LIMIT_S = 1.5
PEER_HEALTH_TIMEOUT_S = 0.4
# Peers that lack more are left to the health loop.
NEAR_ORDERS = 1000


@dataclass(frozen=True, slots=True)
class Promoted:
    """What a promotion gives the new leadership: its epoch and its followers, those that are close behind in sync."""

    epoch: int
    followers: Followers


class Promotion:
    """One attempt of one replica to lead. The store may be extended by others meanwhile."""

    def __init__(
        self, replica_id: int, store: OrderStore, catalog: CatalogLink, monotonic: Callable[[], float]
    ) -> None:
        self._replica_id = replica_id
        self._store = store
        self._catalog = catalog
        self._monotonic = monotonic

    def run(self, expected_epoch: int, peers: Sequence[order_pb2.Peer]) -> Steps[Promoted]:
        """Read what is lacking, begin an epoch after `expected_epoch`, and bring the near peers into sync.

        Raises:
            CatalogUnavailable.
            RpcFailure: BACKFILLING: much is lacking, `read_missing` has to be run to its end first.
                FENCED: a newer epoch was begun.
                HALTED: the catalog's history and a replica's differ; nobody may trade until an operator acts.
        """
        epoch = expected_epoch
        try:
            yield from self._read_most()
            failpoint("promotion-read")
            deadline = self._monotonic() + BEGIN_LIMIT_S
            epoch = yield from begin_epoch(
                self._catalog,
                self._store,
                self._replica_id,
                expected_epoch,
                lambda _failure: self._monotonic() >= deadline,
            )
            failpoint("promotion-begun")
            followers = Followers(peers, self._replica_id)
            positions = yield from self._ask_peers(followers)
            yield from self._bring_into_sync(followers, positions)
        except Diverged as failure:
            proof = failure.number("number"), failure.number("chain")
            yield from show_log(self._catalog, self._replica_id, epoch, *proof)
            raise RpcFailure(Reason.HALTED, str(failure)) from failure
        return Promoted(epoch, followers)

    def _read_most(self) -> Steps[None]:
        deadline = self._monotonic() + BACKFILL_LIMIT_S
        complete = yield from read_missing(self._catalog, self._store, lambda: self._monotonic() >= deadline)
        if not complete:
            last_number = self._store.last_number
            raise RpcFailure(
                Reason.BACKFILLING,
                f"replica {self._replica_id} is still reading orders from the catalog, {last_number} so far",
                metadata={"last_number": last_number},
            )

    def _ask_peers(self, followers: Followers) -> Steps[dict[int, int]]:
        """Return the last number of each peer that answers, all shown to be of our history."""
        addresses = followers.addresses()
        outcomes: list[Outcome] = yield Together(
            [Call(address, order_pb2.HealthCheckRequest(), PEER_HEALTH_TIMEOUT_S) for address in addresses.values()]
        )
        positions: dict[int, int] = {}
        for replica_id, outcome in zip(addresses, outcomes, strict=True):
            if not isinstance(outcome, order_pb2.HealthCheckResponse):
                followers.mark_faulty(replica_id, str(outcome))
            elif outcome.cluster_id not in ("", self._store.cluster_id):
                followers.mark_faulty(replica_id, f"belongs to cluster {outcome.cluster_id}")
            else:
                self._compare(replica_id, outcome)
                positions[replica_id] = outcome.last_number
        return positions

    def _compare(self, replica_id: int, peer: order_pb2.HealthCheckResponse) -> None:
        """Raise Diverged if the peer's log is not a prefix of ours.

        We hold the whole journal, and nobody has traded since we began our epoch, so its log can't be longer.
        """
        own_last = self._store.last_number
        if peer.last_number > own_last or (
            peer.last_number and self._store.chain_at(peer.last_number) != peer.last_chain
        ):
            raise Diverged(
                f"replica {replica_id} holds {peer.last_number} orders of another history than our {own_last}",
                metadata={"number": peer.last_number, "chain": peer.last_chain},
            )

    def _bring_into_sync(self, followers: Followers, positions: dict[int, int]) -> Steps[None]:
        last_number = self._store.last_number
        addresses = followers.addresses()
        near = {peer: number for peer, number in positions.items() if last_number - number <= NEAR_ORDERS}
        outcomes: list[Outcome] = yield Together(
            [
                Call(
                    addresses[replica_id],
                    order_pb2.SyncOrderRequest(
                        cluster_id=self._store.cluster_id,
                        prev_number=number,
                        prev_chain=self._store.chain_at(number),
                        rows=self._store.read(number + 1, last_number),
                    ),
                    FOLLOWER_TIMEOUT_S,
                )
                for replica_id, number in near.items()
            ]
        )
        for replica_id, outcome in zip(near, outcomes, strict=True):
            if isinstance(outcome, order_pb2.SyncOrderResponse) and outcome.equal_number == last_number:
                followers.mark_in_sync(replica_id, last_number)
            elif isinstance(outcome, RpcFailure) and outcome.reason is Reason.DIVERGED:
                raise Diverged(outcome.message, metadata=outcome.metadata)
            else:
                followers.mark_faulty(replica_id, str(outcome))
