"""One order replica: what it does with each message, as a follower and as a leader."""

import math
from collections.abc import Callable, Sequence

import structlog

from backends.checks import check_new_order, check_within
from backends.failures import Diverged
from backends.order.catalog_link import CatalogLink
from backends.order.catch_up import CatchUp
from backends.order.epochs import HeldLog, log_that_differs, read_missing, show_log
from backends.order.followers import Followers
from backends.order.leader import Leader, LeaderObserver, Leadership
from backends.order.model import check_assign_leader
from backends.order.pending import Caller, Ticket
from backends.order.promotion import Promotion
from backends.order.standing import Standing
from backends.order.store import OrderStore, WrongCluster
from common.bounds import MAX_BATCH_ORDERS, MAX_NUMBER
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Steps
from protos import catalog_pb2, order_pb2

log = structlog.get_logger()

STALL_LIMIT_S = 2.0


class Replica:
    """The logic of a replica, without gRPC, threads and clocks. In memory only: it starts as a follower.

    Any number of threads may call the handlers and run the procedures; `turn` and `heartbeat` by one thread.
    """

    def __init__(
        self,
        *,
        replica_id: int,
        store: OrderStore,
        catalog: CatalogLink,
        min_in_sync: int,
        monotonic: Callable[[], float],
        observer: LeaderObserver,
        on_work: Callable[[], None] = lambda: None,
        on_damage: Callable[[str], None] = lambda _why: None,
    ) -> None:
        """Start as a follower. `on_work` is called, by any thread, when a turn has something to do.

        `on_damage` is called, by any thread and perhaps twice, once it has halted as its own log is damaged.
        """
        self.replica_id = replica_id
        self.store = store
        self._catalog = catalog
        self._min_in_sync = min_in_sync
        self._monotonic = monotonic
        self._observer = observer
        self._on_work = on_work
        self._on_damage = on_damage
        self._standing = Standing(replica_id, store.last_epoch(), monotonic)
        self._backfill_wanted = False  # set by a promotion that found much lacking, cleared by the turn that reads it
        store.on_damage(self._halt_for_damage)

    @property
    def epoch(self) -> int:
        """The highest epoch that it has seen. Never waits."""
        return self._standing.epoch

    @property
    def leadership(self) -> Leadership | None:
        """Its leadership, None while it does not lead. Never waits."""
        return self._standing.leadership

    def refuse_if_not_meant(self, to: order_pb2.Addressee) -> None:
        """Return if a message to `to` is for this replica; what is not named is not compared.

        Raises:
            RpcFailure: WRONG_REPLICA, WRONG_CLUSTER; their metadata say who this is.
        """
        own_id, own_cluster = self.replica_id, self.store.cluster_id
        if to.replica_id not in (0, own_id):
            raise RpcFailure(
                Reason.WRONG_REPLICA,
                f"replica {to.replica_id} is meant, but this is replica {own_id}",
                metadata={"replica_id": own_id},
            )
        if to.cluster_id and own_cluster not in ("", to.cluster_id):
            raise RpcFailure(
                Reason.WRONG_CLUSTER,
                f"cluster {to.cluster_id} is meant, but this is a replica of cluster {own_cluster}",
                metadata={"cluster_id": own_cluster},
            )

    def submit(
        self, epoch: int | None, orders: Sequence[catalog_pb2.NewOrder], caller: Caller
    ) -> list[Ticket | RpcFailure]:
        """Take orders in; for each a ticket, or why it alone was not taken. They are answered by later turns.

        They are for the leadership of this epoch; with None for whichever there is.

        Raises:
            RpcFailure: INVALID_ARGUMENT: no order, or too many; HALTED; DAMAGED; NOT_LEADER. Nothing was done.
        """
        check_within("number of orders", len(orders), 1, MAX_BATCH_ORDERS)
        leadership = self._standing.leading(epoch)
        taken: list[Ticket | RpcFailure] = []
        for order in orders:
            try:
                check_new_order(order)  # one that is out of its bounds must not fail those of others
                taken.append(leadership.submit(order, caller))
            except RpcFailure as failure:
                taken.append(failure)
        self._on_work()
        return taken

    def sync_order(self, request: order_pb2.SyncOrderRequest) -> order_pb2.SyncOrderResponse:
        """Append rows from a leader; answer up to which number the log is shown equal. Raises as `extend`."""
        return order_pb2.SyncOrderResponse(equal_number=self._extend(request), replica_id=self.replica_id)

    def bulk_upsert(self, request: order_pb2.BulkUpsertRequest) -> order_pb2.BulkUpsertResponse:
        """As `sync_order`."""
        return order_pb2.BulkUpsertResponse(equal_number=self._extend(request), replica_id=self.replica_id)

    def _extend(self, request: order_pb2.SyncOrderRequest | order_pb2.BulkUpsertRequest) -> int:
        check_within("prev_number", request.prev_number, 0, MAX_NUMBER)
        return self.store.extend(request.cluster_id, request.prev_number, request.prev_chain, request.rows)

    def assign_leader(self, request: order_pb2.AssignLeaderRequest) -> Steps[order_pb2.AssignLeaderResponse]:
        """Lead or follow, as the replica manager says.

        Raises:
            RpcFailure: FENCED, HALTED, DAMAGED, BACKFILLING, PROMOTING, CATALOG: see protos/order.proto.
        """
        check_assign_leader(request)
        if request.leader_id == self.replica_id:
            yield from self._lead(request)
        else:
            self._standing.refuse_older(request.expected_epoch)
            self._standing.see(Leader(request.leader_id, request.expected_epoch))
        self._standing.note_addresses({peer.replica_id: peer.address for peer in request.peers})
        leader = self._standing.snapshot().leader
        return order_pb2.AssignLeaderResponse(
            epoch=leader.epoch,
            leader_id=leader.leader_id,
            last_number=self.store.last_number,
            replica_id=self.replica_id,
        )

    def resync(self, replica_id: int, report: Callable[[order_pb2.ResyncProgress], None]) -> Steps[None]:
        """Bring one follower up to date now.

        Raises:
            RpcFailure: HALTED, DAMAGED, NOT_LEADER, UNKNOWN_REPLICA.
                FOLLOWER: it does not answer, refuses the rows, or holds another history.
        """
        leadership = self._standing.leading()
        catch_up = CatchUp(leadership, self.store, self._catalog, replica_id, report, self._on_work)
        try:
            yield from catch_up.run()
        except Diverged as failure:
            yield from self._end_after(leadership, failure)
            raise RpcFailure(Reason.FOLLOWER, str(failure)) from failure

    def health(self) -> order_pb2.HealthCheckResponse:
        """Say how this replica is; never waits for a sync or another process."""
        last_number, chain = self.store.position
        now = self._standing.snapshot()
        return order_pb2.HealthCheckResponse(
            replica_id=self.replica_id,
            role=now.role,
            leader_id=now.leader.leader_id,
            epoch=now.leadership.epoch if now.leadership else now.leader.epoch,
            last_number=last_number,
            last_chain=chain,
            stalled=self.store.stalled_s() > STALL_LIMIT_S,
            halted=now.halted,
            cluster_id=self.store.cluster_id,
            catalog_reachable=self._catalog.is_reachable,
            catalog_heard_ms=self._catalog.heard_ms,
            min_in_sync=self._min_in_sync,
            followers=now.leadership.followers.statuses(last_number) if now.leadership else [],
            held_s=math.ceil(now.held_s),
            findings=self.store.findings,
        )

    def has_work(self) -> bool:
        """Whether a turn would do anything."""
        leadership = self.leadership
        return self._backfill_wanted or (leadership is not None and leadership.has_work())

    def turn(self) -> Steps[None]:
        """Do what waits: one batch of the leadership, or the rest of a long backfill."""
        leadership = self.leadership
        if leadership is not None and leadership.has_work():
            try:
                yield from leadership.turn()
            except RpcFailure as failure:
                yield from self._end_after(leadership, failure)
        elif self._backfill_wanted:
            self._backfill_wanted = False
            try:
                yield from read_missing(self._catalog, self.store)
            except RpcFailure as failure:
                log.warning("backfill ended early", error=str(failure))
                if failure.reason is Reason.DIVERGED:
                    self._standing.halt(failure.message)

    def heartbeat(self) -> Steps[None]:
        """Look at the catalog: learn its cluster, a newer epoch, and whether it lost history; then at the followers."""
        number, chain = self.store.position  # read before the catalog's
        try:
            health = yield from self._catalog.health()
        except RpcFailure as failure:
            log.debug("the catalog does not answer", error=str(failure))
            return
        try:
            self.store.adopt(health.cluster_id)
        except WrongCluster as failure:
            self.store.mark_foreign(str(failure))
            self._standing.halt(str(failure))
            return
        except RpcFailure as failure:
            log.warning("the directory cannot be begun now", error=str(failure))
            return
        if health.halted:
            self._standing.halt(f"the catalog has halted: {health.halted}")
        elif number and (number, chain) != (health.last_number, health.last_chain) and number >= health.last_number:
            why = f"our log holds {number} orders (chain {chain:08x}), the catalog {health.last_number}"
            own_log = HeldLog(self.replica_id, number, chain)
            yield from self._show_log(health.epoch, own_log, f"{why}: it lost history")
        else:
            self._standing.see(Leader(health.leader_id, health.epoch))
            yield from self._check_followers()

    def stop(self) -> None:
        """Lead no longer, as the process ends."""
        self._standing.step_down(self.epoch, "the process stops")

    # -- Roles -----------------------------------------------------------------------------------------------------

    def _lead(self, request: order_pb2.AssignLeaderRequest) -> Steps[None]:
        peers = frozenset(Followers(request.peers, self.replica_id).peers())
        if not self._standing.begin_promotion(request.expected_epoch, peers):
            return
        try:
            yield from self._promote(request)
        finally:
            self._standing.end_promotion()

    def _promote(self, request: order_pb2.AssignLeaderRequest) -> Steps[None]:
        self._standing.step_down(request.expected_epoch, "a newer epoch has begun")
        promotion = Promotion(
            replica_id=self.replica_id,
            store=self.store,
            catalog=self._catalog,
            min_in_sync=self._min_in_sync,
            monotonic=self._monotonic,
        )
        try:
            promoted = yield from promotion.run(request.expected_epoch, request.peers)
        except RpcFailure as failure:
            if failure.reason is Reason.HALTED:
                self._standing.halt(failure.message)
            elif failure.reason is Reason.BACKFILLING:
                self._backfill_wanted = True
                self._on_work()
            raise
        leadership = Leadership(
            replica_id=self.replica_id,
            epoch=promoted.epoch,
            store=self.store,
            catalog=self._catalog,
            replication=promoted.replication,
            monotonic=self._monotonic,
            observer=self._observer,
        )
        self._standing.lead(leadership, request.hold_s)
        log.info("leading", epoch=promoted.epoch, last_number=self.store.last_number)

    def _check_followers(self) -> Steps[None]:
        if (leadership := self.leadership) is not None:
            try:
                yield from leadership.check_followers()
            except RpcFailure as failure:
                yield from self._end_after(leadership, failure)

    def _halt_for_damage(self, why: str) -> None:
        self._standing.halt(why, Reason.DAMAGED)
        self._on_damage(why)

    def _end_after(self, leadership: Leadership, failure: RpcFailure) -> Steps[None]:
        """End a leadership for what it could not go on after, and halt if that proves that histories differ."""
        successor = Leader(0, leadership.epoch)
        if failure.reason is Reason.DIVERGED:
            differing = log_that_differs(failure, self.store, self.replica_id)
            yield from self._show_log(leadership.epoch, differing, str(failure))
        elif failure.reason is Reason.HALTED:
            self._standing.halt(str(failure))
        elif failure.reason is Reason.FENCED:
            successor = Leader(failure.number("leader_id"), failure.number("epoch"))
        self._standing.end(leadership, successor, str(failure))

    def _show_log(self, epoch: int, held: HeldLog, why: str) -> Steps[None]:
        """Show the catalog a log that differs from its history, ours or a follower's: it then halts, and so do we."""
        try:
            yield from show_log(self._catalog, self.store.cluster_id, self.replica_id, epoch, held)
        except RpcFailure as failure:
            if failure.reason is Reason.HALTED:
                self._standing.halt(f"{why}; {failure}")
            else:
                log.error("could not show the catalog a log that differs", why=why, error=str(failure))
