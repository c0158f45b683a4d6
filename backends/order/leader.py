"""One leadership: decide, replicate, answer (docs/PROTOCOL.md, "The order path").

A *turn* takes all orders that wait as one batch, has the catalog decide it, brings the followers in sync up to date,
and answers. Orders that come meanwhile gather for the next turn: group commit (DeWitt et al. 1984, "Implementation
techniques for main memory database systems").
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from backends.failures import CatalogUnavailable
from backends.order.catalog_link import CatalogLink
from backends.order.epochs import begin_epoch
from backends.order.pending import Caller, PendingOrders, Ticket
from backends.order.replicate import Replication
from backends.order.store import OrderStore
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


class LeaderObserver(Protocol):
    """Told what a leadership does, by its thread, once a batch or so: it must neither wait nor raise."""

    def watch_pending(self, count: Callable[[], int]) -> None:
        """`count` counts the orders that were taken and are not answered yet; any thread may ask it, at any time."""

    def note_decided(self, orders: int, seconds: float) -> None:
        """The catalog answered a batch, `seconds` after it was first sent."""

    def note_refused(self, reason: str) -> None:
        """The catalog refused an order."""

    def note_replicated(self, seconds: float) -> None:
        """The own log and all followers in sync took a batch, or were left out, in this time."""

    def note_committed(self, orders: int, oldest_s: float) -> None:
        """Orders were answered together; the oldest was taken in `oldest_s` seconds ago."""


class Leadership:
    """The orders of a replica while it leads.

    It does not know whose part it is to lead: what it cannot go on after, it raises, and it ends when it is closed.
    `submit`, `close` and the read-only members may be called by any thread; `turn` and `check_followers` by one.
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
        observer: LeaderObserver,
    ) -> None:
        """Lead in `epoch`, which the catalog gave to this replica; the store holds everything decided before it."""
        self.replica_id = replica_id
        self.epoch = epoch  # changed by the thread of `turn`, when the catalog has restarted
        self.followers = replication.followers
        self.is_active = True
        self._store = store
        self._catalog = catalog
        self._orders = PendingOrders(monotonic)
        self._replication = replication
        self._observer = observer
        observer.watch_pending(self._orders.count)
        self._monotonic = monotonic
        self._asked_at = monotonic()  # when all followers in sync were last sent something
        self._batch_seq = 0
        self._decided: list[Ticket] = []  # decided, not yet committed; only the thread of `turn` touches it

    def submit(self, order: catalog_pb2.NewOrder, caller: Caller) -> Ticket:
        """Take an order in; the ticket's future is answered by a later turn. Raises as `PendingOrders.submit`."""
        return self._orders.submit(order, caller)

    def has_work(self) -> bool:
        """Whether a turn would do anything."""
        return self.is_active and (self._orders.has_waiting() or self.followers.has_joining())

    def check_active(self) -> None:
        """Raise NOT_LEADER if it was closed."""
        if not self.is_active:
            ended = f"the leadership of replica {self.replica_id} in epoch {self.epoch} has ended"
            raise RpcFailure(Reason.NOT_LEADER, ended)

    def close(self, successor: Leader, why: str) -> None:
        """Answer all that wait: what was never sent is not executed, what was sent is unknown. Idempotent.

        A turn under way acknowledges nothing more, and raises as soon as it looks.
        """
        self.is_active = False
        metadata = {"leader_id": successor.leader_id, "epoch": successor.epoch}
        self._orders.close(
            RpcFailure(Reason.NOT_LEADER, f"replica {self.replica_id} leads no longer: {why}", metadata=metadata),
            RpcFailure(Reason.STEPPED_DOWN, f"the leadership ended meanwhile: {why}", metadata=metadata),
        )

    def turn(self) -> Steps[None]:
        """Decide one batch, if orders wait, and replicate.

        Raises:
            RpcFailure: the leadership cannot go on; whoever runs the turn has to close it. FENCED (leader_id, epoch): a
                newer epoch has begun. DIVERGED, or HALTED by the catalog: histories differ. NOT_LEADER: it was closed
                meanwhile. Else the catalog refused the batch, or our own log could not take the rows: decided they
                are, and the next leader has them.
        """
        rows = yield from self._decide_waiting()
        if rows:
            self._asked_at = self._monotonic()
        self.check_active()
        yield from self._replication.replicate(rows)
        if rows:
            self._observer.note_replicated(self._monotonic() - self._asked_at)
        failpoint("leader-committed")
        self._answer_committed()

    def check_followers(self) -> Steps[None]:
        """Ask the followers in sync whether they still are, if no order did so for a while. Raises as `turn`."""
        if not self.is_active or self._monotonic() - self._asked_at < CHECK_INTERVAL_S:
            return
        self._asked_at = self._monotonic()
        yield from self._replication.replicate(b"", asks_all=True)
        self._answer_committed()

    # -- Decide ----------------------------------------------------------------------------------------------------

    def _decide_waiting(self) -> Steps[bytes]:
        """Have the catalog decide all that waits; return the new rows."""
        if not self._orders.has_waiting() or not (yield from self._may_answer()):
            return b""
        batch = self._orders.take_batch(MAX_BATCH_ORDERS)
        if not batch:
            return b""
        failpoint("leader-deciding")
        began = self._monotonic()
        response = yield from self._send_until_answered(batch)
        self._observer.note_decided(len(batch), self._monotonic() - began)
        failpoint("leader-decided")
        return self._take_results(batch, response)

    def _may_answer(self) -> Steps[bool]:
        """Look at the catalog first, where something hangs on it; whether it answers.

        If it has been silent, nothing is sent: the orders that wait are then known not to be executed. If a refused key
        came again, it may have been executed under a newer epoch that we have not heard of.

        Raises:
            RpcFailure: FENCED: a newer epoch has begun.
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
            newest = {"leader_id": health.leader_id, "epoch": health.epoch}
            raise RpcFailure(Reason.FENCED, "a newer epoch has begun", metadata=newest)
        self._orders.refuse_again(refused_count)
        return True

    def _send_until_answered(self, batch: list[Ticket]) -> Steps[catalog_pb2.UpdateStockResponse]:
        """Send the same batch until it is answered, if need be under a new epoch. Raises as `turn`."""
        request = self._next_request(batch)
        while True:
            self.check_active()
            try:
                response: catalog_pb2.UpdateStockResponse = yield from self._catalog.call(request)
            except CatalogUnavailable as failure:
                self._orders.fail_waiting(failure)
                yield Pause(RESEND_PAUSE_S)
            except RpcFailure as failure:
                newest = Leader(failure.number("leader_id"), failure.number("epoch"))
                if failure.reason is not Reason.FENCED or newest != Leader(self.replica_id, self.epoch):
                    raise
                log.warning("the catalog was restarted; beginning a new epoch", epoch=self.epoch)
                yield from self._renew_epoch()
                request = self._next_request(batch)
            else:
                return response

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

    def _renew_epoch(self) -> Steps[None]:
        """Begin a new epoch of this leadership, after the catalog's restart. Raises as `begin_epoch`."""

        def gives_up(failure: CatalogUnavailable) -> bool:
            self._orders.fail_waiting(failure)
            return not self.is_active

        self.epoch = yield from begin_epoch(self._catalog, self._store, self.replica_id, self.epoch, gives_up)
        self._batch_seq = 0

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
                    self._observer.note_refused(result.refusal.reason)
        return b"".join(rows)

    # -- Answer ----------------------------------------------------------------------------------------------------

    def _answer_committed(self) -> None:
        committed = self._replication.committed_number
        answered = [ticket for ticket in self._decided if ticket.number <= committed]
        for ticket in answered:
            order = order_from_row(parse_row(ticket.row)) if ticket.row else self._store.order(ticket.number)
            self._orders.settle(ticket, order)
        if answered:
            self._observer.note_committed(len(answered), self._monotonic() - answered[0].taken_at)
        # What too few replicas hold so far is held back; a later turn may commit it.
        self._decided = self._orders.forget_deserted(t for t in self._decided if t.number > committed)
