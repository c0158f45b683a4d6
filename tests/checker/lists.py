"""Lists: nothing repeated, nothing left out, and everything there that was acknowledged before they were asked for."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise

from tests.checker.history import ListOrders, Page, ShownOrder
from tests.checker.journal import Journal
from tests.checker.linearizability import Seen
from tests.checker.orders import check_shown
from tests.checker.positions import Positions
from tests.checker.violations import Kind, Violation


class ListChecks:
    """The checks of all lists.

    Attributes:
        violations: what is wrong whatever the moments are.
        seen: what remains to be explained by moments.
    """

    def __init__(self, lists: Sequence[ListOrders], journal: Journal) -> None:
        self.violations: list[Violation] = []
        self.seen: list[Seen] = []
        self._journal = journal
        self._numbers: dict[tuple[tuple[str, ...], str, str], list[int]] = {}
        for one in lists:
            self._check(one)

    def _check(self, one: ListOrders) -> None:
        orders = [order for page in one.pages for order in page.orders]
        shown_wrong = [violation for order in orders if (violation := check_shown(order, one, self._journal))]
        if shown_wrong:
            self.violations += shown_wrong
            return
        excluded = [order.number for order in orders if not _passes(one, order)]
        if excluded:
            self.violations.append(Violation(Kind.LIST_FILTER, f"orders {excluded[:5]}", (one,)))
            return
        numbers = [order.number for order in orders]
        rising = numbers[::-1] if one.descending else numbers
        if any(a >= b for a, b in pairwise(rising)):
            self.violations.append(Violation(Kind.LIST_REPEATS, f"numbers {numbers[:50]}", (one,)))
            return
        self._check_holes(one, rising)
        self.seen += self._seen_on_pages(one)
        self.seen += self._seen_at_newest_end(one, rising)

    def _check_holes(self, one: ListOrders, rising: Sequence[int]) -> None:
        """Check what is between the orders shown, and between them and the old end of the list."""
        reaches_old_end = not one.descending or not one.pages[-1].has_more
        low = one.after_number if reaches_old_end else (rising[0] - 1 if rising else len(self._journal))
        high = rising[-1] if rising else low
        wanted = self._matching(one)
        expected = wanted[bisect_right(wanted, low) : bisect_right(wanted, high)]
        if expected != list(rising):
            missing = sorted(set(expected) - set(rising))
            self.violations.append(Violation(Kind.LIST_HOLE, f"orders {missing[:5]} are left out", (one,)))

    def _seen_on_pages(self, one: ListOrders) -> Iterator[Seen]:
        """Each page names the highest number there was, and shows none above the position that it was read at."""
        last = len(self._journal)
        for page in one.pages:
            latest = Positions([(page.latest, min(page.latest, last))])
            yield Seen(one, page.invoked, page.ended, latest, f"a list's latest number {page.latest}")
            highest = max((order.number for order in page.orders), default=0)
            yield Seen(one, page.invoked, page.ended, Positions([(highest, last)]), f"that order {highest} exists")

    def _seen_at_newest_end(self, one: ListOrders, rising: Sequence[int]) -> Iterator[Seen]:
        """What the page at the newest end lacks was not there yet when it was read."""
        page: Page = one.pages[0] if one.descending else one.pages[-1]
        reaches_newest_end = bool(rising) or not one.pages[-1].has_more if one.descending else not page.has_more
        if not reaches_newest_end:
            return
        wanted = self._matching(one)
        missing = bisect_right(wanted, rising[-1] if rising else one.after_number)
        if missing < len(wanted):
            positions = Positions([(0, wanted[missing] - 1)])
            yield Seen(
                one, page.invoked, page.ended, positions, f"a list without order {wanted[missing]}", Kind.LIST_HOLE
            )

    def _matching(self, one: ListOrders) -> list[int]:
        """Return the numbers of all orders that pass the list's filters, after_number not among these."""
        filters = (one.names, one.order_type, one.key)
        if filters not in self._numbers:
            rows = self._journal.rows
            self._numbers[filters] = [row.number for row in rows if _passes_filters(one, row.shown)]
        return self._numbers[filters]


def _passes(one: ListOrders, order: ShownOrder) -> bool:
    return order.number > one.after_number and _passes_filters(one, order)


def _passes_filters(one: ListOrders, order: ShownOrder) -> bool:
    return (
        (not one.names or order.name in one.names)
        and one.order_type in ("", order.order_type)
        and one.key in ("", order.key)
    )
