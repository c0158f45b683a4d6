"""Catch-up: a leader brings one follower up to date while orders go on (docs/PROTOCOL.md, "Return")."""

from collections.abc import Callable

import structlog

from backends.failures import Diverged
from backends.order.catalog_link import CatalogLink
from backends.order.followers import FAULTY, IN_SYNC
from backends.order.leader import Leadership
from backends.order.peer_link import PeerLink
from backends.order.store import OrderStore
from common.bounds import NEAR_ORDERS
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Pause, Steps
from common.process.failpoints import failpoint
from protos import order_pb2

log = structlog.get_logger()

HEALTH_TIMEOUT_S = 1.0
HEALTH_ATTEMPTS = 12
HEALTH_PAUSE_S = 0.1
# Between two pages, while orders come: on one machine, disk and processors are the orders' first.
BREATH_S = 0.02
POLL_PAUSE_S = 0.02


class CatchUp:
    """The catch-up of one follower of one leadership.

    `report` is called with each step's progress, `on_work` when the leadership's next turn has to take the follower in.
    """

    def __init__(
        self,
        leadership: Leadership,
        store: OrderStore,
        catalog: CatalogLink,
        replica_id: int,
        report: Callable[[order_pb2.ResyncProgress], None],
        on_work: Callable[[], None],
    ) -> None:
        """Prepare to catch a follower up.

        Raises:
            RpcFailure: UNKNOWN_REPLICA: the leadership has no follower of this id.
        """
        followers = {peer.replica_id: peer for peer in leadership.followers.peers()}
        if replica_id not in followers:
            raise RpcFailure(
                Reason.UNKNOWN_REPLICA, f"replica {replica_id} is no follower; followers: {list(followers)}"
            )
        self._leadership = leadership
        self._store = store
        self._catalog = catalog
        self._replica_id = replica_id
        self._peer = followers[replica_id]
        self._peers = PeerLink(store)
        self._report = report
        self._on_work = on_work
        self._from_number = leadership.followers.status(replica_id, store.last_number).last_number

    def run(self) -> Steps[None]:
        """Bring the follower into sync. If somebody else is doing so, or it is in sync already, watch until it is.

        Raises:
            Diverged: its log is of another history (PeerLink): the leadership cannot go on.
            RpcFailure: FOLLOWER: it does not answer, or refuses the rows. NOT_LEADER: the leadership ended.
        """
        followers = self._leadership.followers
        if followers.begin_catch_up(self._replica_id):
            try:
                yield from self._copy_until_near()
            except RpcFailure as failure:
                followers.mark_faulty(self._replica_id, str(failure))
                if isinstance(failure, Diverged):
                    raise
                raise RpcFailure(Reason.FOLLOWER, f"replica {self._replica_id}: {failure}") from failure
            finally:
                followers.end_catch_up(self._replica_id)
        yield from self._wait_for_membership()

    def _copy_until_near(self) -> Steps[None]:
        """Copy from our log until a small rest is left; then ask to be taken in with the next batch."""
        number = yield from self._ask_position()
        self._from_number = number
        while self._store.last_number - number > NEAR_ORDERS:
            self._leadership.check_active()
            last_number = self._store.last_number
            number = yield from self._peers.send_page(self._peer, number)
            failpoint("catch-up-page")
            self._leadership.followers.record_progress(self._replica_id, number)
            self._report_at(number)
            if self._store.last_number > last_number:
                yield Pause(BREATH_S)
        self._leadership.followers.ask_to_join(self._replica_id, number)
        self._on_work()

    def _ask_position(self) -> Steps[int]:
        """Return the number up to which the follower's log is a prefix of ours."""
        health = yield from self._ask_health()
        journal_last = self._store.last_number
        if health.last_number > journal_last:  # it may have read ahead of us from the catalog
            journal_last = (yield from self._catalog.health()).last_number
        return self._peers.common_number(self._peer, health, journal_last)

    def _ask_health(self) -> Steps[order_pb2.HealthCheckResponse]:
        """Ask the follower; again for a moment, as a channel to a process that has just returned may still back off."""
        for _attempt in range(HEALTH_ATTEMPTS):
            try:
                health: order_pb2.HealthCheckResponse = yield self._peers.health_call(self._peer, HEALTH_TIMEOUT_S)
                return self._peers.health(self._peer, health)
            except RpcFailure as failure:
                if failure.reason is not Reason.UNREACHABLE:
                    raise
                unreachable = failure
            yield Pause(HEALTH_PAUSE_S)
        raise unreachable

    def _wait_for_membership(self) -> Steps[None]:
        while True:
            self._leadership.check_active()
            status = self._leadership.followers.status(self._replica_id, self._store.last_number)
            if status.state == FAULTY:
                raise RpcFailure(Reason.FOLLOWER, f"replica {self._replica_id}: {status.error}")
            self._report_at(status.last_number, status.state)
            if status.state == IN_SYNC:
                return
            yield Pause(POLL_PAUSE_S)

    def _report_at(self, number: int, state: order_pb2.FollowerState.ValueType = order_pb2.CATCHING_UP) -> None:
        self._report(
            order_pb2.ResyncProgress(
                from_number=self._from_number,
                done_number=number,
                target_number=self._store.last_number,
                state=state,
                chain=self._store.chain_at(number),
                replica_id=self._leadership.replica_id,
            )
        )
