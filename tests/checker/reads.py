"""Look-ups of stocks and orders: at which positions of the sequence their answers are true."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence

from tests.checker.history import LookUpOrder, Operation, ReadStock, ShownOrder
from tests.checker.journal import Journal
from tests.checker.linearizability import Seen
from tests.checker.orders import acknowledged, check_shown
from tests.checker.positions import Positions, StockPositions
from tests.checker.violations import Kind, Violation

CACHE_S = 1.0


def check_found(read: LookUpOrder, order: ShownOrder, journal: Journal) -> Violation | None:
    """Check that the order which a look-up shows is the journal's, and the one that was asked for."""
    if order.number != read.number:
        return Violation(Kind.DIFFERENT, f"asked for order {read.number}, shown {order}", (read,))
    return check_shown(order, read, journal)


def seen_in_look_up(read: LookUpOrder, journal: Journal) -> Seen:
    """An order that is found is there; one that is not found is not there yet."""
    if read.order is not None:
        positions, what = Positions([(read.number, len(journal))]), f"that order {read.number} exists"
    else:
        positions, what = Positions([(0, min(read.number - 1, len(journal)))]), f"that there is no order {read.number}"
    return Seen(read, read.invoked, read.ended, positions, what)


class StockReads:
    """Where reads of stocks are true; a cached one within its last second, but behind the frontend's own orders."""

    def __init__(self, operations: Sequence[Operation], positions: StockPositions, slack_s: float) -> None:
        self._positions = positions
        self._slack_s = slack_s
        self._own: dict[tuple[str, str], list[tuple[float, int]]] = defaultdict(list)
        for request, order in sorted(acknowledged(operations), key=lambda pair: pair[0].ended):
            own = self._own[request.frontend, order.name]
            own.append((request.ended, max(order.number, own[-1][1] if own else 0)))

    def seen(self, read: ReadStock) -> Seen:
        """Return what the read shows."""
        positions = self._positions.of_quantity(read.name, read.quantity)
        what = f"{read.name} at {read.quantity}"
        if not read.cached:
            return Seen(read, read.invoked, read.ended, positions, what)
        since = read.invoked - CACHE_S - self._slack_s
        return Seen(read, since, read.ended, positions, what, Kind.STALE_CACHE, self._own_number(read))

    def _own_number(self, read: ReadStock) -> int:
        """Return the highest order of this stock that the frontend had answered before the read began, or 0."""
        own = self._own[read.frontend, read.name]
        before = bisect_left(own, (read.invoked, 0))
        return own[before - 1][1] if before else 0
