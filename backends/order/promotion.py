"""Promotion: how a replica, even a stale or an empty one, becomes a correct leader (docs/PROTOCOL.md, 5)."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

import structlog

from backends.failures import Diverged
from backends.order.catalog_link import CatalogLink
from backends.order.epochs import begin_epoch, log_that_differs, read_missing, show_log
from backends.order.followers import Followers
from backends.order.peer_link import PeerLink
from backends.order.replicate import Replication
from backends.order.store import OrderStore
from common.bounds import NEAR_ORDERS
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Outcome, Steps, Together
from common.process.failpoints import failpoint
from protos import order_pb2

log = structlog.get_logger()

# Reading for longer than this, the replica answers BACKFILLING and goes on reading: the present leader works meanwhile.
BACKFILL_LIMIT_S = 1.0
# How long a catalog that is slow to sync an epoch is asked again, within what the manager waits for a promotion.
BEGIN_LIMIT_S = 1.5
PEER_HEALTH_TIMEOUT_S = 0.4
# Of one that did not answer the manager either. It may have been out of that one's reach alone.
SILENT_PEER_TIMEOUT_S = 0.1


@dataclass(frozen=True, slots=True)
class Promoted:
    """What a promotion gives the new leadership: its epoch, and its followers, those that are close behind in sync."""

    epoch: int
    replication: Replication


class Promotion:
    """One attempt of one replica to lead. The store may be extended by others meanwhile."""

    def __init__(
        self,
        *,
        replica_id: int,
        store: OrderStore,
        catalog: CatalogLink,
        min_in_sync: int,
        monotonic: Callable[[], float],
    ) -> None:
        self._replica_id = replica_id
        self._store = store
        self._catalog = catalog
        self._min_in_sync = min_in_sync
        self._monotonic = monotonic
        self._peers = PeerLink(store)

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
            yield from self._let_near_peers_join(followers, {peer.replica_id for peer in peers if peer.silent})
            replication = Replication(self._store, followers, self._min_in_sync)
            yield from replication.replicate(b"")
        except Diverged as failure:
            differing = log_that_differs(failure, self._store, self._replica_id)
            yield from show_log(self._catalog, self._store.cluster_id, self._replica_id, epoch, differing)
            raise RpcFailure(Reason.HALTED, str(failure)) from failure
        return Promoted(epoch, replication)

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

    def _let_near_peers_join(self, followers: Followers, silent: Set[int]) -> Steps[None]:
        """Have the peers that are close behind join with the next Replicate; the others are left to the health loop.

        Raises:
            Diverged: a peer's log is of another history.
        """
        peers = followers.peers()
        outcomes: list[Outcome] = yield Together(
            [
                self._peers.health_call(
                    peer, SILENT_PEER_TIMEOUT_S if peer.replica_id in silent else PEER_HEALTH_TIMEOUT_S
                )
                for peer in peers
            ]
        )
        for peer, outcome in zip(peers, outcomes, strict=True):
            try:
                health = self._peers.health(peer, outcome)
            except RpcFailure as failure:
                followers.mark_faulty(peer.replica_id, str(failure))
                continue
            # We hold the whole journal, and nobody has traded since we began our epoch: no log can be longer.
            last_number = self._store.last_number
            number = self._peers.common_number(peer, health, last_number)
            if last_number - number <= NEAR_ORDERS:
                followers.ask_to_join(peer.replica_id, number)
