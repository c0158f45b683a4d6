"""The same question as the checker's, answered by trying every sequence: for histories of a few operations.

A sequence is built step by step, as by Wing and Gong ("Testing and Verifying Concurrent Objects", 1993): any operation
may come next that began before all those still missing ended, if the state that the steps so far have made gives its
answer. It shares the history's data types with the checker, and no more.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from math import inf

from tests.checker.history import History, ListOrders, LookUpOrder, Outcome, PlaceOrder, ReadStock, Reason, ShownOrder

HIGHEST_STOCK = 10**15


@dataclass(frozen=True)
class Step:
    """Something that happens at one moment within begin..end.

    `then`: given how many orders there are before, the possible numbers behind it; none if it cannot happen then.
    """

    begin: float
    end: float
    then: Callable[[int], Iterator[int]]


class Search:
    """All sequences of a history's steps whose orders are `orders`, the journal's."""

    def __init__(self, history: History, orders: list[ShownOrder]) -> None:
        self._history = history
        self._orders = orders
        self._steps = [step for operation in history.operations for step in self._steps_of(operation)]

    def is_possible(self) -> bool:
        """Whether there is a sequence, and the journal's orders keep all stocks within their bounds."""
        if not all(0 <= self._quantity(order.name, order.number) <= HIGHEST_STOCK for order in self._orders):
            return False
        everything = frozenset(range(len(self._steps)))

        @cache
        def reaches(missing: frozenset[int], count: int) -> bool:
            if not any(self._steps[place].end < inf for place in missing) and count == len(self._orders):
                return True
            first_end = min((self._steps[place].end for place in missing), default=inf)
            return any(
                reaches(missing - {place}, following)
                for place in missing
                if self._steps[place].begin <= first_end
                for following in self._steps[place].then(count)
            )

        return reaches(everything, 0)

    def _steps_of(self, operation: object) -> Iterator[Step]:
        match operation:
            case PlaceOrder():
                yield from self._placing(operation)
            case ReadStock():
                yield self._stock_read(operation)
            case LookUpOrder():
                yield self._look_up(operation)
            case ListOrders():
                yield from self._listing(operation)

    def _placing(self, request: PlaceOrder) -> Iterator[Step]:
        same_key = [
            other
            for other in self._history.operations
            if isinstance(other, PlaceOrder) and other.key == request.key and other.account == request.account
        ]
        match request.outcome:
            case Outcome.ORDER:
                yield Step(request.invoked, request.ended, lambda count: self._execute(request, count))
            case Outcome.UNKNOWN | Outcome.NO_ANSWER:
                latest_end = request.ended
                if request.outcome is Outcome.NO_ANSWER:
                    latest_end = max(latest_end, request.invoked + self._history.order_budget_s)
                refusals = [one.invoked for one in same_key if one.outcome is Outcome.REFUSED]
                if not any(invoked > latest_end for invoked in refusals):
                    yield Step(request.invoked, inf, lambda count: self._execute(request, count))
            case Outcome.REFUSED:
                first_invoked = min(other.invoked for other in same_key)
                yield self._test(request.invoked, request.ended, lambda count: self._number(request, count) is None)
                yield self._test(first_invoked, request.ended, lambda count: self._refuses(request, count))
            case Outcome.KEY_REUSED:
                yield self._test(request.invoked, request.ended, lambda count: self._is_reused(request, count))

    def _execute(self, request: PlaceOrder, count: int) -> Iterator[int]:
        number = self._number(request, count)
        if number is None and count < len(self._orders):
            following = self._orders[count]
            asked = (request.key, request.name, request.order_type, request.quantity)
            if (following.key, following.name, following.order_type, following.quantity) != asked:
                return
            number, count = count + 1, count + 1
        if number is not None and (request.order is None or self._orders[number - 1] == request.order):
            shown = self._orders[number - 1]
            if (shown.name, shown.order_type, shown.quantity) == (request.name, request.order_type, request.quantity):
                yield count

    def _refuses(self, request: PlaceOrder, count: int) -> bool:
        if request.name not in self._history.initial:
            return request.reason is Reason.UNKNOWN_STOCK
        held = self._quantity(request.name, count)
        if request.order_type == "buy":
            fits = request.available in (None, held)
            return request.reason is Reason.INSUFFICIENT_STOCK and held < request.quantity and fits
        return request.reason is Reason.STOCK_LIMIT and held + request.quantity > HIGHEST_STOCK

    def _is_reused(self, request: PlaceOrder, count: int) -> bool:
        number = self._number(request, count)
        if number is None or request.reused_number not in (None, number):
            return False
        held = self._orders[number - 1]
        return (held.name, held.order_type, held.quantity) != (request.name, request.order_type, request.quantity)

    def _stock_read(self, read: ReadStock) -> Step:
        own = [
            operation.order.number
            for operation in self._history.operations
            if isinstance(operation, PlaceOrder)
            and operation.order is not None
            and (operation.frontend, operation.order.name) == (read.frontend, read.name)
            and operation.ended < read.invoked
        ]
        least = max(own, default=0) if read.cached else 0
        begin = read.invoked - 1.0 - self._history.slack_s if read.cached else read.invoked

        def holds(count: int) -> bool:
            if read.quantity is None or read.name not in self._history.initial:
                return read.quantity is None and read.name not in self._history.initial
            return count >= least and self._quantity(read.name, count) == read.quantity

        return self._test(begin, read.ended, holds)

    def _look_up(self, read: LookUpOrder) -> Step:
        def holds(count: int) -> bool:
            found = self._orders[read.number - 1] if read.number <= count else None
            return found == read.order

        return self._test(read.invoked, read.ended, holds)

    def _listing(self, one: ListOrders) -> Iterator[Step]:
        """Each page is read at one moment; the latest number that it names may be of another."""
        behind: int | None = None
        for page in one.pages:
            latest = page.latest
            yield self._test(page.invoked, page.ended, lambda count, latest=latest: count == latest)  # type: ignore[misc]

            def holds(
                count: int,
                shown: tuple[ShownOrder, ...] = page.orders,
                more: bool = page.has_more,
                at: int | None = behind,
            ) -> bool:
                wanted = self._matching(one, count, at)
                return list(shown) == (wanted[: len(shown)] if more else wanted)

            yield self._test(page.invoked, page.ended, holds)
            behind = page.orders[-1].number if page.orders else behind

    def _matching(self, one: ListOrders, count: int, behind: int | None) -> list[ShownOrder]:
        wanted = [
            order
            for order in self._orders[:count]
            if order.number > one.after_number
            and (not one.names or order.name in one.names)
            and one.order_type in ("", order.order_type)
            and one.key in ("", order.key)
        ]
        if one.descending:
            return [order for order in reversed(wanted) if behind is None or order.number < behind]
        return [order for order in wanted if behind is None or order.number > behind]

    def _number(self, request: PlaceOrder, count: int) -> int | None:
        return next((order.number for order in self._orders[:count] if order.key == request.key), None)

    def _quantity(self, name: str, count: int) -> int:
        held = self._history.initial[name]
        for order in self._orders[:count]:
            if order.name == name:
                held += order.quantity if order.order_type == "sell" else -order.quantity
        return held

    @staticmethod
    def _test(begin: float, end: float, holds: Callable[[int], bool]) -> Step:
        """A step that changes nothing and can happen where `holds` is true."""
        return Step(begin, end, lambda count: iter([count] if holds(count) else []))
