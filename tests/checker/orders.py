"""Requests to place orders against the journal: what each key may have become (docs/API.md, 4 and 6)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import inf

from tests.checker.history import History, Operation, Outcome, PlaceOrder, Reason, ShownOrder
from tests.checker.journal import HIGHEST_STOCK, Journal, LoggedOrder
from tests.checker.linearizability import Decided, Seen
from tests.checker.positions import Positions, StockPositions
from tests.checker.violations import Kind, Violation

# Outcomes after which the request itself may have made the order.
MAY_HAVE_EXECUTED = frozenset({Outcome.ORDER, Outcome.UNKNOWN, Outcome.NO_ANSWER})


def check_shown(order: ShownOrder, operation: Operation, journal: Journal) -> Violation | None:
    """Check that an order which an answer shows is the journal's, in every field."""
    row = journal.get(order.number)
    if row is None:
        return Violation(Kind.LOST, f"{order}, the journal ends at {len(journal)}", (operation,))
    if row.shown != order:
        return Violation(Kind.DIFFERENT, f"shown {order}, the journal holds {row.shown}", (operation,))
    return None


class OrderChecks:
    """The checks of all requests to place orders, key by key.

    Attributes:
        violations: what is wrong whatever the moments are.
        decided, seen: what remains to be explained by moments.
    """

    def __init__(self, history: History, journal: Journal, positions: StockPositions) -> None:
        self.violations: list[Violation] = []
        self.decided: list[Decided] = []
        self.seen: list[Seen] = []
        self._history = history
        self._journal = journal
        self._positions = positions
        by_key: dict[tuple[str, str], list[PlaceOrder]] = defaultdict(list)
        for operation in history.operations:
            if isinstance(operation, PlaceOrder):
                by_key[operation.account, operation.key].append(operation)
        for (account, key), requests in by_key.items():
            self._check_key(sorted(requests, key=lambda one: one.invoked), journal.of_key(account, key))
        if history.complete:
            self._check_all_asked_for(by_key)

    def _check_key(self, requests: Sequence[PlaceOrder], row: LoggedOrder | None) -> None:
        for request in requests:
            if request.order is not None:
                self._check_acknowledged(request, request.order)
            elif request.outcome is Outcome.REFUSED:
                self._check_refusal(request, requests[0].invoked)
            elif request.outcome is Outcome.KEY_REUSED:
                self._check_reuse(request, row)
        if row is None:
            return
        if row.number > self._history.orders_before:
            self._check_decided(requests, row)
        elif refused := [one for one in requests if one.outcome is Outcome.REFUSED]:
            self.violations.append(Violation(Kind.EXECUTED, f"it was order {row.number} before", tuple(refused)))

    def _check_acknowledged(self, request: PlaceOrder, order: ShownOrder) -> None:
        asked = (request.key, request.name, request.order_type, request.quantity)
        if (order.key, order.name, order.order_type, order.quantity) != asked:
            self.violations.append(Violation(Kind.DIFFERENT, f"answered with {order}", (request,)))
        elif violation := check_shown(order, request, self._journal):
            self.violations.append(violation)
        elif (owner := self._journal.rows[order.number - 1].account) != request.account:
            text = f"answered with order {order.number}, which is of account {owner!r}"
            self.violations.append(Violation(Kind.DIFFERENT, text, (request,)))

    def _check_refusal(self, request: PlaceOrder, first_invoked: float) -> None:
        """A refusal may be one that the leader remembers from an earlier request with the key, since the first one."""
        positions = self._positions_of_refusal(request)
        what = f"{request.reason}: {request.order_type} {request.quantity} {request.name}"
        self.seen.append(Seen(request, first_invoked, request.ended, positions, what, Kind.UNTRUE_REFUSAL))

    def _positions_of_refusal(self, request: PlaceOrder) -> Positions:
        known = self._positions.knows(request.name)
        if request.reason is Reason.UNKNOWN_STOCK or not known:
            fits = request.reason is Reason.UNKNOWN_STOCK and not known
            return self._positions.of_quantity(request.name, None) if fits else Positions([])
        if request.reason is Reason.STOCK_LIMIT and request.order_type == "sell":
            return self._positions.where(request.name, lambda held: held + request.quantity > HIGHEST_STOCK)
        if request.reason is Reason.INSUFFICIENT_STOCK and request.order_type == "buy":
            if request.available is None:
                return self._positions.where(request.name, lambda held: held < request.quantity)
            if request.available < request.quantity:
                return self._positions.of_quantity(request.name, request.available)
        return Positions([])

    def _check_reuse(self, request: PlaceOrder, row: LoggedOrder | None) -> None:
        if row is None or _is_of(request, row) or request.reused_number not in (None, row.number):
            text = f"{request.key!r} is {row.shown if row else 'no order'}"
            self.violations.append(Violation(Kind.WRONG_REUSE, text, (request,)))
            return
        positions = Positions([(row.number, len(self._journal))])
        self.seen.append(Seen(request, request.invoked, request.ended, positions, f"order {row.number}"))

    def _check_decided(self, requests: Sequence[PlaceOrder], row: LoggedOrder) -> None:
        """Find which request can have made the order: one that was not told otherwise, or settled by a refusal.

        A refusal shows besides that there was no order yet.
        """
        able = [one for one in requests if one.outcome in MAY_HAVE_EXECUTED and _is_of(one, row)]
        refusals = [one for one in requests if one.outcome is Outcome.REFUSED]
        refusal = max(refusals, key=lambda one: one.invoked, default=None)
        makers = [one for one in able if refusal is None or self._may_run_until(one) >= refusal.invoked]
        if not makers:
            if able or any(_is_of(one, row) for one in requests):
                text = f"it is order {row.number}"
                self.violations.append(Violation(Kind.EXECUTED, text, tuple(requests)))
            return
        if refusal is None or makers[0].invoked > refusal.invoked:
            first: PlaceOrder = makers[0]
        else:
            first = refusal
        answered = min((one for one in able if one.order == row.shown), key=lambda one: one.ended, default=None)
        upper = inf if answered is None else answered.ended
        self.decided.append(Decided(row.number, first.invoked, upper, first, answered))

    def _may_run_until(self, request: PlaceOrder) -> float:
        """Until when a request may make an order of its own: a frontend goes on without its client."""
        if request.outcome is Outcome.NO_ANSWER:
            return max(request.ended, request.invoked + self._history.order_budget_s)
        return request.ended

    def _check_all_asked_for(self, by_key: dict[tuple[str, str], list[PlaceOrder]]) -> None:
        for row in self._journal.rows[self._history.orders_before :]:
            requests = by_key.get((row.account, row.shown.key), [])
            if not any(_is_of(request, row) for request in requests):
                self.violations.append(Violation(Kind.UNASKED, f"{row.shown}", tuple(requests)))


def _is_of(request: PlaceOrder, row: LoggedOrder) -> bool:
    """Whether a request asks for just this order."""
    order = row.shown
    return (request.name, request.order_type, request.quantity) == (order.name, order.order_type, order.quantity)


def acknowledged(operations: Sequence[Operation]) -> Iterator[tuple[PlaceOrder, ShownOrder]]:
    """Yield the requests that were answered with an order."""
    for operation in operations:
        if isinstance(operation, PlaceOrder) and operation.order is not None:
            yield operation, operation.order
