"""Positions in the sequence of orders: position n is the state behind order n and before order n + 1."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from tests.checker.journal import Journal


class Positions:
    """A set of positions, kept as ranges."""

    def __init__(self, ranges: Iterable[tuple[int, int]]) -> None:
        """`ranges`: first and last of each, both included; ascending and apart. Those with last < first are empty."""
        self._ranges = [(first, last) for first, last in ranges if first <= last]
        self._lasts = [last for _, last in self._ranges]

    def at_or_above(self, position: int) -> int | None:
        """Return the lowest one that is not below `position`, None if all are."""
        place = bisect_left(self._lasts, position)
        return max(position, self._ranges[place][0]) if place < len(self._ranges) else None

    def __str__(self) -> str:
        if not self._ranges:
            return "at no number"
        shown = [f"{first}..{last}" if first < last else str(first) for first, last in self._ranges]
        return f"behind order {', '.join(shown[:4])}{' and later ones' if len(shown) > 4 else ''}"


class StockPositions:
    """Which quantity each stock has at each position. A quantity may come back, so it may have several ranges."""

    def __init__(self, journal: Journal, initial: Mapping[str, int]) -> None:
        self.last = len(journal)
        self._steps = {name: [(0, quantity)] for name, quantity in initial.items()}
        for row in journal.rows:
            order = row.shown
            steps = self._steps.setdefault(order.name, [(0, 0)])
            change = order.quantity if order.order_type == "sell" else -order.quantity
            steps.append((row.number, steps[-1][1] + change))
        self._initial = initial
        self._by_quantity: dict[str, dict[int, Positions]] = {}

    def knows(self, name: str) -> bool:
        """Whether there is such a stock."""
        return name in self._initial

    def of_quantity(self, name: str, quantity: int | None) -> Positions:
        """Return where a stock has this quantity; None means that there is no such stock."""
        if quantity is None or not self.knows(name):
            return Positions([(0, self.last)] if quantity is None and not self.knows(name) else [])
        if name not in self._by_quantity:
            ranges = defaultdict(list)
            for first, last, held in self._ranges(name):
                ranges[held].append((first, last))
            self._by_quantity[name] = {held: Positions(own) for held, own in ranges.items()}
        return self._by_quantity[name].get(quantity, Positions([]))

    def where(self, name: str, holds: Callable[[int], bool]) -> Positions:
        """Return where a stock's quantity fulfils a condition."""
        return Positions((first, last) for first, last, held in self._ranges(name) if holds(held))

    def _ranges(self, name: str) -> Iterable[tuple[int, int, int]]:
        steps = self._steps[name]
        for (first, held), (following, _) in zip(steps, [*steps[1:], (self.last + 1, 0)], strict=True):
            yield first, following - 1, held
