"""The orders that a leader has been given and has not answered yet, and the refusals it gave."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field

from backends.order.refusals import Refusals, failure_from_refusal
from backends.storage.known_keys import key_of
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import catalog_pb2, order_pb2

MAX_PENDING = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who waits for an answer: until `deadline` on the monotonic clock, and while `is_active()`."""

    deadline: float
    is_active: Callable[[], bool]

    def waits(self, now: float) -> bool:
        """Whether the answer would still reach somebody."""
        return now < self.deadline and self.is_active()


@dataclass(slots=True, eq=False)
class Ticket:
    """One key in flight, and everybody who waits for it.

    The future holds the order, or is failed with an RpcFailure: its reason says whether the order may be executed.
    """

    order: catalog_pb2.NewOrder
    callers: list[Caller]
    taken_at: float  # on the monotonic clock
    was_sent: bool = False  # it ever was in a batch that was sent: from then on it may have been executed
    number: int = 0  # the number it was decided under, 0 before
    row: bytes = b""  # its row, if it was decided by this leadership
    refusal: RpcFailure | None = None  # what its key was refused with before, in this leadership
    future: "Future[order_pb2.Order]" = field(default_factory=Future)

    @property
    def key(self) -> bytes:
        """The account's key."""
        return key_of(self.order.account, self.order.idempotency_key)


class PendingOrders:
    """Queue and look-up by key of the tickets of one leadership.

    Any number of threads may submit; one thread takes batches and settles tickets.
    """

    def __init__(self, monotonic: Callable[[], float], max_pending: int = MAX_PENDING) -> None:
        self._monotonic = monotonic
        self._max_pending = max_pending
        self._lock = threading.Lock()
        # All below are guarded by _lock.
        self._queue: deque[Ticket] = deque()  # not yet in a batch
        self._refused_again: deque[Ticket] = deque()  # their keys were refused before
        self._in_flight: dict[bytes, Ticket] = {}  # queued, sent or decided, and not answered
        self._refusals = Refusals()
        self._closed: RpcFailure | None = None

    def submit(self, order: catalog_pb2.NewOrder, caller: Caller) -> Ticket:
        """Return the ticket of the order's key: the one in flight, a refused one, or a new one at the queue's end.

        Raises:
            RpcFailure: QUEUE_FULL: nothing was done; what `close` was given, if the leadership has ended.
        """
        ticket = Ticket(order, [caller], self._monotonic())
        with self._lock:
            if self._closed is not None:
                raise self._closed
            if (known := self._in_flight.get(ticket.key)) is not None:
                now = self._monotonic()
                known.callers = [each for each in known.callers if each.waits(now)] + [caller]
                return known
            if len(self._in_flight) >= self._max_pending:
                raise RpcFailure(Reason.QUEUE_FULL, f"{self._max_pending} orders are waiting already")
            self._in_flight[ticket.key] = ticket
            ticket.refusal = self._refusals.get(order)
            (self._queue if ticket.refusal is None else self._refused_again).append(ticket)
            return ticket

    def count(self) -> int:
        """Count the orders that are not answered yet."""
        return len(self._in_flight)

    def has_waiting(self) -> bool:
        """Whether anybody waits for what a turn does first: a batch, or a refusal once more."""
        return bool(self._queue or self._refused_again)

    def refused_again_count(self) -> int:
        """Count the keys that were refused and have come again."""
        return len(self._refused_again)

    def refuse_again(self, count: int) -> None:
        """Answer the first `count` keys that were refused before as before.

        Only those that came before the epoch was seen to be the newest: under a newer one, a key may be executed.
        """
        with self._lock:
            tickets = [self._refused_again.popleft() for _ in range(min(count, len(self._refused_again)))]
            for ticket in tickets:
                self._in_flight.pop(ticket.key, None)
        for ticket in tickets:
            if ticket.refusal is not None:
                _fail([ticket], ticket.refusal)

    def take_batch(self, max_orders: int) -> list[Ticket]:
        """Take up to max_orders tickets from the queue, marked as sent; those that nobody waits for are dropped."""
        now = self._monotonic()
        batch: list[Ticket] = []
        with self._lock:
            while self._queue and len(batch) < max_orders:
                ticket = self._queue.popleft()
                if any(caller.waits(now) for caller in ticket.callers):
                    ticket.was_sent = True
                    batch.append(ticket)
                else:  # nobody is left who could be told that it was executed
                    self._in_flight.pop(ticket.key, None)
                    _desert(ticket)
        return batch

    def fail_waiting(self, failure: RpcFailure) -> None:
        """Answer all tickets that are in no batch yet: not executed."""
        with self._lock:
            tickets = [*self._queue, *self._refused_again]
            self._queue.clear()
            self._refused_again.clear()
            for ticket in tickets:
                self._in_flight.pop(ticket.key, None)
        _fail(tickets, failure)

    def settle(self, ticket: Ticket, order: order_pb2.Order) -> None:
        """Answer a ticket with its committed order."""
        if self._release(ticket):
            ticket.future.set_result(order)

    def refuse(self, ticket: Ticket, refusal: catalog_pb2.Refusal) -> None:
        """Answer a ticket: not executed. A lasting refusal is given again for the same key."""
        with self._lock:
            self._refusals.remember(ticket.order, refusal)
        if self._release(ticket):
            _fail([ticket], failure_from_refusal(refusal.reason, refusal.available, ticket.order))

    def _release(self, ticket: Ticket) -> bool:
        """Take a ticket out of flight; whether the caller is the one who did, and so the one who answers it."""
        with self._lock:
            if self._in_flight.get(ticket.key) is not ticket:
                return False
            del self._in_flight[ticket.key]
            return True

    def forget_deserted(self, tickets: Iterable[Ticket]) -> list[Ticket]:
        """Drop the decided tickets that nobody waits for, and return the others. Their keys can be asked for again."""
        now = self._monotonic()
        kept: list[Ticket] = []
        with self._lock:
            for ticket in tickets:
                if any(caller.waits(now) for caller in ticket.callers):
                    kept.append(ticket)
                elif self._in_flight.pop(ticket.key, None) is ticket:
                    _desert(ticket)
        return kept

    def close(self, not_sent: RpcFailure, unknown: RpcFailure) -> None:
        """End the leadership: later submits and tickets never sent fail with `not_sent`, the others with `unknown`."""
        with self._lock:
            self._closed = not_sent
            tickets = list(self._in_flight.values())
            self._in_flight.clear()
            self._queue.clear()
            self._refused_again.clear()
        _fail([ticket for ticket in tickets if not ticket.was_sent], not_sent)
        _fail([ticket for ticket in tickets if ticket.was_sent], unknown)


def _desert(ticket: Ticket) -> None:
    """End a ticket without an answer; a thread that still waits for it is woken, and need not wait for its deadline."""
    ticket.future.cancel()
    ticket.future.set_running_or_notify_cancel()


def _fail(tickets: Iterable[Ticket], failure: RpcFailure) -> None:
    """Answer tickets that the caller has taken out of flight: nobody else answers them."""
    for ticket in tickets:
        ticket.future.set_exception(failure)
