"""One leadership: decide, replicate, answer (docs/PROTOCOL.md, "The order path").

A *turn* takes all orders that wait as one batch, has the catalog decide it, brings the followers in sync up to date,
and answers. Orders that come meanwhile gather for the next turn: group commit (DeWitt et al. 1984, "Implementation
techniques for main memory database systems").
"""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from backends.failures import CatalogUnavailable
from backends.order.catalog_link import CatalogLink
from backends.order.epochs import begin_epoch, show_log
from backends.order.pending import Caller, PendingOrders, Ticket
from backends.order.replicate import Replication
from backends.order.store import OrderStore
from backends.serving.order_metrics import OrderMetrics
from common.bounds import MAX_BATCH_ORDERS
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Pause, Steps
from common.process.failpoints import failpoint
from common.rows import order_from_row, parse_row
from protos import catalog_pb2

log = structlog.get_logger()

RESEND_PAUSE_S = 0.1
CHECK_INTERVAL_S = 2.0


@dataclass(frozen=True, slots=True)
class Leader:
    """Who leads: the id (0: unknown) and the epoch of its leadership."""

    leader_id: int
    epoch: int


class Leadership:
    """The state of a replica while it leads.

    `submit`, `step_down` and the read-only members may be called by any thread; `turn` by one at a time.
    """

    def __init__(
        self,
        *,
        replica_id: int,
        epoch: int,
        store: OrderStore,
        catalog: CatalogLink,
        replication: Replication,
        monotonic: Callable[[], float],
        on_end: Callable[["Leadership", Leader], None],
        on_halt: Callable[[str], None],
        on_epoch: Callable[[int], None],
        on_work: Callable[[], None],
        metrics: OrderMetrics,
    ) -> None:
        """Lead in `epoch`, which the catalog gave to this replica; the store holds everything decided before it."""
        self.replica_id = replica_id
        self.epoch = epoch
        self.followers = replication.followers
        self.is_active = True
        self._store = store
        self._catalog = catalog
        self._orders = PendingOrders(monotonic)
        self._replication = replication
        self._on_end = on_end
        self._on_halt = on_halt
        self._on_epoch = on_epoch
        self._on_work = on_work
        self._metrics = metrics
        metrics.pending.set_function(self._orders.count)
        self._monotonic = monotonic
        self._asked_at = monotonic()  # when all followers in sync were last sent something
        self._batch_seq = 0
        self._decided: list[Ticket] = []  # decided, not yet committed; only the thread of `turn` touches it

    def submit(self, order: catalog_pb2.NewOrder, caller: Caller) -> Ticket:
        """Take an order in; the ticket's future is answered by a later turn. Raises as `PendingOrders.submit`."""
        ticket = self._orders.submit(order, caller)
        self._on_work()
        return ticket

    def ask_to_join(self, replica_id: int, number: int) -> None:
        """Let the next turn take in a follower that holds everything up to `number`."""
        self.followers.ask_to_join(replica_id, number)
        self._on_work()

    def has_work(self) -> bool:
        """Whether a turn would do anything."""
        return self.is_active and (self._orders.has_waiting() or self.followers.has_joining())

    def step_down(self, successor: Leader, why: str) -> None:
        """End the leadership: what was never sent is not executed, what was sent is unknown. Idempotent."""
        if not self.is_active:
            return
        self.is_active = False
        log.warning("stepped down", epoch=self.epoch, why=why, leader_id=successor.leader_id)
        metadata = {"leader_id": successor.leader_id, "epoch": successor.epoch}
        self._on_end(self, successor)
        self._orders.close(
            RpcFailure(Reason.NOT_LEADER, f"replica {self.replica_id} leads no longer: {why}", metadata=metadata),
            RpcFailure(Reason.STEPPED_DOWN, f"the leadership ended meanwhile: {why}", metadata=metadata),
        )

    def turn(self) -> Steps[None]:
        """Decide one batch, if orders wait, and replicate; never raises an RpcFailure."""
        try:
            rows = yield from self._decide_waiting()
            if rows:
                self._asked_at = self._monotonic()
            if self.is_active:
                yield from self._replication.replicate(rows)
                if rows:
                    self._metrics.note_replicated(self._monotonic() - self._asked_at)
                failpoint("leader-committed")
                self._answer_committed()
        except RpcFailure as failure:
            # Our own log could not take the rows (decided they are, and the next leader has them), or a follower's
            # log is another history.
            yield from self.end_after(failure)

    def check_followers(self) -> Steps[None]:
        """Ask the followers in sync whether they still are, if no order has asked them for a while."""
        if not self.is_active or self._monotonic() - self._asked_at < CHECK_INTERVAL_S:
            return
        self._asked_at = self._monotonic()
        try:
            yield from self._replication.replicate(b"", asks_all=True)
            self._answer_committed()
        except RpcFailure as failure:
            yield from self.end_after(failure)

    def halt(self, why: str) -> None:
        """End the leadership because histories differ: nobody may trade until an operator acts."""
        self._on_halt(why)
        self.step_down(Leader(0, self.epoch), why)

    # -- Decide ----------------------------------------------------------------------------------------------------

    def _decide_waiting(self) -> Steps[bytes]:
        """Have the catalog decide all that waits; return the new rows."""
        if not self._orders.has_waiting():
            return b""
        if not (yield from self._may_answer()):
            return b""
        batch = self._orders.take_batch(MAX_BATCH_ORDERS)
        if not batch:
            return b""
        failpoint("leader-deciding")
        began = self._monotonic()
        response = yield from self._send_until_answered(batch)
        self._metrics.note_decided(len(batch), self._monotonic() - began)
        failpoint("leader-decided")
        return self._take_results(batch, response) if response is not None else b""

    def _may_answer(self) -> Steps[bool]:
        """Look at the catalog first, where something hangs on it; whether to go on.

        If it has been silent, nothing is sent: the orders that wait are then known not to be executed. If a refused key
        came again, it may have been executed under a newer epoch that we have not heard of.
        """
        refused_count = self._orders.refused_again_count()
        if self._catalog.is_fresh and not refused_count:
            return True
        try:
            health = yield from self._catalog.health()
        except RpcFailure as failure:
            self._orders.fail_waiting(CatalogUnavailable(failure.message))
            return False
        if health.epoch > self.epoch:
            self.step_down(Leader(health.leader_id, health.epoch), "a newer epoch has begun")
            return False
        self._orders.refuse_again(refused_count)
        return True

    def _send_until_answered(self, batch: list[Ticket]) -> Steps[catalog_pb2.UpdateStockResponse | None]:
        """Send the same batch until it is answered; None when this leadership ended."""
        request = self._next_request(batch)
        while self.is_active:
            try:
                response: catalog_pb2.UpdateStockResponse = yield from self._catalog.call(request)
            except CatalogUnavailable as failure:
                self._orders.fail_waiting(failure)
                yield Pause(RESEND_PAUSE_S)
            except RpcFailure as failure:
                if not (yield from self._go_on_after(failure)):
                    return None
                request = self._next_request(batch)
            else:
                return response
        return None

    def _next_request(self, batch: list[Ticket]) -> catalog_pb2.UpdateStockRequest:
        self._batch_seq += 1
        last_number, chain = self._store.position
        return catalog_pb2.UpdateStockRequest(
            epoch=self.epoch,
            batch_seq=self._batch_seq,
            first_number=last_number + 1,
            prev_chain=chain,
            trades=[ticket.order for ticket in batch],
        )

    def _go_on_after(self, failure: RpcFailure) -> Steps[bool]:
        """Handle a refusal of the whole batch; whether this leadership goes on, perhaps under a new epoch."""
        newest = Leader(failure.number("leader_id"), failure.number("epoch"))
        if failure.reason is Reason.FENCED and newest == Leader(self.replica_id, self.epoch):
            log.warning("the catalog was restarted; beginning a new epoch", epoch=self.epoch)
            return (yield from self._renew_epoch())
        yield from self.end_after(failure)
        return False

    def _renew_epoch(self) -> Steps[bool]:
        """Begin a new epoch of this leadership, after the catalog's restart; whether it goes on."""

        def gives_up(failure: CatalogUnavailable) -> bool:
            self._orders.fail_waiting(failure)
            return not self.is_active

        try:
            epoch = yield from begin_epoch(self._catalog, self._store, self.replica_id, self.epoch, gives_up)
        except RpcFailure as failure:
            yield from self.end_after(failure)
            return False
        self.epoch, self._batch_seq = epoch, 0
        self._on_epoch(epoch)
        return self.is_active

    def end_after(self, failure: RpcFailure) -> Steps[None]:
        """End the leadership, and halt if the failure proves that histories differ. Any thread may run it."""
        if failure.reason is Reason.DIVERGED:
            yield from self._show_divergence(failure)
        elif failure.reason is Reason.HALTED:
            self.halt(str(failure))
        elif failure.reason is Reason.FENCED:
            self.step_down(Leader(failure.number("leader_id"), failure.number("epoch")), str(failure))
        else:
            self.step_down(Leader(0, self.epoch), str(failure))

    def _show_divergence(self, failure: RpcFailure) -> Steps[None]:
        """Show the catalog the log that differs from its history: it then halts, and so do we."""
        try:
            yield from show_log(self._catalog, self.replica_id, self.epoch, *self._proof(failure))
        except RpcFailure as answer:
            if answer.reason is Reason.HALTED:
                self.halt(f"{failure}; {answer}")
                return
            log.error("could not show the catalog a diverged log", error=str(answer))
        self.step_down(Leader(0, self.epoch), str(failure))

    def _proof(self, failure: RpcFailure) -> tuple[int, int]:
        """Return the number and chain of the log that differs: another replica's if it is named, else our own."""
        if "chain" in failure.metadata:
            return failure.number("number"), failure.number("chain")
        return self._store.position

    def _take_results(self, batch: list[Ticket], response: catalog_pb2.UpdateStockResponse) -> bytes:
        """Sort the batch into decided and refused; return the new rows, whole and in number order."""
        rows: list[bytes] = []
        next_number = self._store.last_number + 1
        for ticket, result in zip(batch, response.results, strict=True):
            match result.WhichOneof("result"):
                case "row":
                    ticket.number, ticket.row = next_number, result.row
                    next_number += 1
                    rows.append(result.row)
                    self._decided.append(ticket)
                case "exists":
                    ticket.number = result.exists
                    self._decided.append(ticket)
                case _:
                    self._orders.refuse(ticket, result.refusal)
                    self._metrics.note_refused(result.refusal.reason)
        return b"".join(rows)

    # -- Answer ----------------------------------------------------------------------------------------------------

    def _answer_committed(self) -> None:
        committed = self._replication.committed_number
        answered = [ticket for ticket in self._decided if ticket.number <= committed]
        for ticket in answered:
            order = order_from_row(parse_row(ticket.row)) if ticket.row else self._store.order(ticket.number)
            self._orders.settle(ticket, order)
        if answered:
            self._metrics.note_committed(len(answered), self._monotonic() - answered[0].taken_at)
        # What too few replicas hold so far is held back; a later turn may commit it.
        self._decided = self._orders.forget_deserted(t for t in self._decided if t.number > committed)
