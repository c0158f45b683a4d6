"""One order replica: what it does with each message, as a follower and as a leader."""

import math
import threading
from collections.abc import Callable, Mapping, Sequence

import structlog

from backends.checks import check_new_order, check_within
from backends.order.catalog_link import CatalogLink
from backends.order.catch_up import CatchUp
from backends.order.epochs import read_missing, show_log
from backends.order.followers import Followers
from backends.order.leader import Leader, Leadership
from backends.order.model import check_assign_leader
from backends.order.pending import Caller, Ticket
from backends.order.promotion import Promotion
from backends.order.store import OrderStore, WrongCluster
from backends.serving.order_metrics import OrderMetrics
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
        on_work: Callable[[], None] = lambda: None,
        metrics: OrderMetrics | None = None,
    ) -> None:
        """Start as a follower. `on_work` is called, by any thread, when a turn has something to do."""
        self.replica_id = replica_id
        self.store = store
        self._catalog = catalog
        self._min_in_sync = min_in_sync
        self._monotonic = monotonic
        self._on_work = on_work
        self._metrics = metrics or OrderMetrics()
        self._lock = threading.Lock()
        # All below are guarded by _lock; no lock is held across an RPC or a sync.
        self._leader = Leader(0, store.last_epoch())  # the newest that it has seen
        self._leadership: Leadership | None = None
        self._addresses: Mapping[int, str] = {}  # of all replicas, as the manager last told them
        self._held_until = float("-inf")  # until when the health loop leaves our leadership alone
        self._is_promoting = False
        self._backfill_wanted = False
        self._halted = ""

    @property
    def epoch(self) -> int:
        """The highest epoch that it has seen. Never waits."""
        return self._leader.epoch

    def submit(
        self, epoch: int | None, orders: Sequence[catalog_pb2.NewOrder], caller: Caller
    ) -> list[Ticket | RpcFailure]:
        """Take orders in; for each a ticket, or why it alone was not taken. They are answered by later turns.

        They are for the leadership of this epoch; with None for whichever there is.

        Raises:
            RpcFailure: INVALID_ARGUMENT, HALTED, NOT_LEADER: nothing was done.
        """
        check_within("number of orders", len(orders), 1, MAX_BATCH_ORDERS)
        for order in orders:
            check_new_order(order)
        leadership = self._leading(epoch)
        taken: list[Ticket | RpcFailure] = []
        for order in orders:
            try:
                taken.append(leadership.submit(order, caller))
            except RpcFailure as failure:
                taken.append(failure)
        return taken

    def sync_order(self, request: order_pb2.SyncOrderRequest | order_pb2.BulkUpsertRequest) -> int:
        """Append rows from a leader; return the number up to which the log is shown equal. Raises as `extend`."""
        check_within("prev_number", request.prev_number, 0, MAX_NUMBER)
        return self.store.extend(request.cluster_id, request.prev_number, request.prev_chain, request.rows)

    def assign_leader(self, request: order_pb2.AssignLeaderRequest) -> Steps[order_pb2.AssignLeaderResponse]:
        """Lead or follow, as the replica manager says.

        Raises:
            RpcFailure: FENCED, HALTED, BACKFILLING, PROMOTING, CATALOG: see protos/order.proto.
        """
        check_assign_leader(request)
        with self._lock:
            self._addresses = {peer.replica_id: peer.address for peer in request.peers}
        if request.leader_id == self.replica_id:
            yield from self._lead(request)
        else:
            with self._lock:
                self._refuse_older(request.expected_epoch)
            self._see(Leader(request.leader_id, request.expected_epoch))
        with self._lock:
            leader = self._leader
        return order_pb2.AssignLeaderResponse(
            epoch=leader.epoch, leader_id=leader.leader_id, last_number=self.store.last_number
        )

    def resync(self, replica_id: int, report: Callable[[order_pb2.ResyncProgress], None]) -> Steps[None]:
        """Bring one follower up to date now. Raises NOT_LEADER, and as `CatchUp`."""
        leadership = self._leading(None)
        yield from CatchUp(leadership, self.store, self._catalog, replica_id, report).run()

    def health(self) -> order_pb2.HealthCheckResponse:
        """Say how this replica is; never waits for a sync or another process."""
        last_number, chain = self.store.position
        with self._lock:
            leadership, leader, halted = self._leadership, self._leader, self._halted
            held_s = max(0.0, self._held_until - self._monotonic()) if leadership else 0.0
            role = order_pb2.PROMOTING if self._is_promoting else order_pb2.FOLLOWER
        return order_pb2.HealthCheckResponse(
            replica_id=self.replica_id,
            role=order_pb2.LEADER if leadership else role,
            leader_id=leader.leader_id,
            epoch=leadership.epoch if leadership else leader.epoch,
            last_number=last_number,
            last_chain=chain,
            stalled=self.store.stalled_s() > STALL_LIMIT_S,
            halted=halted,
            cluster_id=self.store.cluster_id,
            catalog_reachable=self._catalog.is_reachable,
            min_in_sync=self._min_in_sync,
            followers=leadership.followers.statuses(last_number) if leadership else [],
            held_s=math.ceil(held_s),
        )

    def has_work(self) -> bool:
        """Whether a turn would do anything."""
        leadership = self._leadership
        return self._backfill_wanted or (leadership is not None and leadership.has_work())

    def turn(self) -> Steps[None]:
        """Do what waits: one batch of the leadership, or the rest of a long backfill."""
        leadership = self._leadership
        if leadership is not None and leadership.has_work():
            yield from leadership.turn()
        elif self._backfill_wanted:
            self._backfill_wanted = False
            try:
                yield from read_missing(self._catalog, self.store)
            except RpcFailure as failure:
                log.warning("backfill ended early", error=str(failure))
                if failure.reason is Reason.DIVERGED:
                    self._halt(failure.message)

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
            self._halt(str(failure))
            return
        except RpcFailure as failure:
            log.warning("the directory cannot be begun now", error=str(failure))
            return
        if health.halted:
            self._halt(f"the catalog has halted: {health.halted}")
        elif number and (number, chain) != (health.last_number, health.last_chain) and number >= health.last_number:
            yield from self._show_longer_log(number, chain, health)
        else:
            self._see(Leader(health.leader_id, health.epoch))
            if (leadership := self._leadership) is not None:
                yield from leadership.check_followers()

    def stop(self) -> None:
        """Lead no longer, as the process ends."""
        self._end_leadership(Leader(0, self._leader.epoch), "the process stops")

    # -- Roles -----------------------------------------------------------------------------------------------------

    def _leading(self, epoch: int | None) -> Leadership:
        """Return the leadership if there is one, of this epoch unless None is given; raise HALTED or NOT_LEADER."""
        with self._lock:
            leadership, leader, halted = self._leadership, self._leader, self._halted
            address = self._addresses.get(leader.leader_id)
        if halted:
            raise RpcFailure(Reason.HALTED, f"replica {self.replica_id} has halted: {halted}")
        if leadership is None or epoch not in (None, leadership.epoch):
            addressed = "" if epoch is None else f" in epoch {epoch}"
            own_epoch = leadership.epoch if leadership else leader.epoch
            raise RpcFailure(
                Reason.NOT_LEADER,
                f"replica {self.replica_id} does not lead{addressed}; leader {leader.leader_id}, epoch {own_epoch}",
                metadata={"leader_id": leader.leader_id, "epoch": own_epoch}
                | ({"leader_address": address} if address else {}),
            )
        return leadership

    def _lead(self, request: order_pb2.AssignLeaderRequest) -> Steps[None]:
        with self._lock:
            if self._halted:
                raise RpcFailure(Reason.HALTED, f"replica {self.replica_id} has halted: {self._halted}")
            self._refuse_older(request.expected_epoch)
            leadership = self._leadership
            peers = set(Followers(request.peers, self.replica_id).peers())
            if leadership and (leadership.epoch, set(leadership.followers.peers())) == (request.expected_epoch, peers):
                return
            if self._is_promoting:
                raise RpcFailure(Reason.PROMOTING, f"replica {self.replica_id} is being promoted already")
            self._is_promoting = True
        try:
            yield from self._promote(request)
        finally:
            self._is_promoting = False

    def _promote(self, request: order_pb2.AssignLeaderRequest) -> Steps[None]:
        self._end_leadership(Leader(0, request.expected_epoch), "a newer epoch has begun")
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
                self._halt(failure.message)
            elif failure.reason is Reason.BACKFILLING:
                self._backfill_wanted = True
                self._on_work()
            raise
        with self._lock:
            self._refuse_older(promoted.epoch)
            self._leader = Leader(self.replica_id, promoted.epoch)
            self._held_until = self._monotonic() + request.hold_s
            self._leadership = Leadership(
                replica_id=self.replica_id,
                epoch=promoted.epoch,
                store=self.store,
                catalog=self._catalog,
                replication=promoted.replication,
                monotonic=self._monotonic,
                on_end=self._leadership_ended,
                on_halt=self._halt,
                on_epoch=lambda epoch: self._see(Leader(self.replica_id, epoch)),
                on_work=self._on_work,
                metrics=self._metrics,
            )
        log.info("leading", epoch=promoted.epoch, last_number=self.store.last_number)

    def _refuse_older(self, epoch: int) -> None:
        """Raise FENCED if a newer epoch was seen. The caller holds _lock."""
        if epoch < self._leader.epoch:
            raise RpcFailure(
                Reason.FENCED,
                f"epoch {epoch} is older than epoch {self._leader.epoch} of leader {self._leader.leader_id}",
                metadata={"epoch": self._leader.epoch, "leader_id": self._leader.leader_id},
            )

    def _see(self, leader: Leader) -> None:
        """Learn who leads. A leadership of our own in an older epoch is over."""
        with self._lock:
            if leader.epoch < self._leader.epoch:
                return
            self._leader = leader
            leadership = self._leadership
        if leadership is not None and leader.epoch > leadership.epoch and leader.leader_id != self.replica_id:
            leadership.step_down(leader, "a newer epoch has begun")

    def _end_leadership(self, successor: Leader, why: str) -> None:
        if (leadership := self._leadership) is not None:
            leadership.step_down(successor, why)

    def _leadership_ended(self, leadership: Leadership, successor: Leader) -> None:
        with self._lock:
            if self._leadership is leadership:
                self._leadership = None
                self._leader = successor if successor.epoch >= self._leader.epoch else Leader(0, self._leader.epoch)

    def _show_longer_log(self, number: int, chain: int, health: catalog_pb2.CatalogHealthResponse) -> Steps[None]:
        """Our log, read before the catalog's position, is longer or another: the catalog lost history."""
        why = f"our log holds {number} orders (chain {chain:08x}), the catalog {health.last_number}: it lost history"
        try:
            yield from show_log(self._catalog, self.replica_id, health.epoch, number, chain)
        except RpcFailure as failure:
            if failure.reason is Reason.HALTED:
                self._halt(why)
                return
            log.warning("could not show the catalog a longer log", error=str(failure))

    def _halt(self, why: str) -> None:
        with self._lock:
            is_new, self._halted = not self._halted, self._halted or why
        if is_new:
            log.error("halted", why=why)
            self._end_leadership(Leader(0, self._leader.epoch), f"halted: {why}")
