"""Whether one sequence of moments, one for each order and in number order, explains all answers.

The journal fixes the order of the orders, so what is open is only *when* each was decided. Let N(t) be how many were
decided at time t. Every answer bounds it:

- an order that was asked for at `lower` at the earliest: N(t) < number before `lower`;
- an order that was acknowledged at `upper`: N(upper) >= number;
- an answer that is true at some positions only, asked for at `since`, given at `until`: one of them lies between
  N(since) and N(until), both included, because N passes through every number.

The last is N(until) >= the first of its positions at or above N(since), which rises with N(since). A system of bounds
from below that rise with earlier values has a least solution, found by one walk through time; if the least N breaks a
bound from above, every N does. So the answer is exact, also where a quantity occurs at several positions, and takes
O(n log n) time. (Gibbons and Korach, "Testing Shared Memories", SIAM J. Comput. 1997: hard in general, easy once the
order of the writes is known.)
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.checker.history import Operation
from tests.checker.positions import Positions
from tests.checker.violations import Kind, Violation


@dataclass(frozen=True, slots=True)
class Decided:
    """When an order can have been decided. `first_asked`, `answered`: the operations that say so."""

    number: int
    lower: float
    upper: float
    first_asked: Operation | None = None
    answered: Operation | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer that is true at `positions` only, of which one at `floor` or above must be met within since..until."""

    operation: Operation | None
    since: float
    until: float
    positions: Positions
    what: str
    kind: Kind = Kind.UNTRUE_READ
    floor: int = 0


@dataclass(frozen=True, slots=True)
class _Least:
    """The least N, and the operation that raised it to this."""

    count: int
    because: Operation | None = None


def check_moments(decided: Iterable[Decided], seen: Iterable[Seen], orders_before: int) -> list[Violation]:
    """Return what no choice of moments explains. What ends at the moment when another begins counts as concurrent.

    `orders_before`: how many orders were decided before everything.
    """
    least, found = _Least(orders_before), []
    at_since: dict[int, _Least] = {}
    for _, is_end, subject in _events(decided, seen):
        if isinstance(subject, Decided):
            if not is_end and least.count >= subject.number:
                found.append(_decided_too_late(subject, least))
            elif is_end and least.count < subject.number:
                least = _Least(subject.number, subject.answered)
        elif not is_end:
            at_since[id(subject)] = least
        else:
            before = at_since.pop(id(subject))
            position = subject.positions.at_or_above(max(before.count, subject.floor))
            if position is None:
                found.append(_untrue(subject, before))
            elif least.count < position:
                least = _Least(position, subject.operation)
    return found


def _events(decided: Iterable[Decided], seen: Iterable[Seen]) -> list[tuple[float, bool, Decided | Seen]]:
    events: list[tuple[float, bool, Decided | Seen]] = []
    for order in decided:
        events += [(order.lower, False, order), (order.upper, True, order)]
    for sight in seen:
        events += [(sight.since, False, sight), (sight.until, True, sight)]
    return sorted(events, key=lambda event: event[:2])


def _decided_too_late(order: Decided, least: _Least) -> Violation:
    """An order that could not be decided before `lower`, though answers had shown as many orders by then."""
    return Violation(
        Kind.OUT_OF_ORDER,
        f"order {order.number} cannot be older than {order.lower:.6f}, but {least.count} orders were decided before",
        tuple(operation for operation in (order.first_asked, least.because) if operation is not None),
    )


def _untrue(sight: Seen, before: _Least) -> Violation:
    low = max(before.count, sight.floor)
    return Violation(
        sight.kind,
        f"{sight.what} is true {sight.positions}, but it was asked for when {low} orders were decided",
        tuple(operation for operation in (sight.operation, before.because) if operation is not None),
    )
