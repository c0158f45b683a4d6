"""What was measured: rows of figures, one figure a round, and what failed."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

K = TypeVar("K")
T = TypeVar("T")


@dataclass
class Row:
    """One line of the table.

    Attributes:
        part: the letter and name of the part, like "b orders".
        values: one a round, in `unit`.
        note: what else is to be known of it.
    """

    part: str
    what: str
    unit: str
    values: list[float]
    note: str = ""

    @property
    def median(self) -> float:
        """The middle value, or the mean of the two in the middle."""
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """The lowest value."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The highest value."""
        return max(self.values)

    def as_json(self) -> dict[str, Any]:
        """Return everything, the values as they were measured."""
        return asdict(self) | {"median": self.median, "low": self.low, "high": self.high}


@dataclass
class Results:
    """All rows, and in words what was not as it must be: an error is a failure of the whole benchmark."""

    rows: list[Row] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def add(self, part: str, what: str, unit: str, values: Sequence[float], note: str = "") -> Row:
        """Add a row and return it."""
        row = Row(part, what, unit, list(values), note)
        self.rows.append(row)
        return row

    def add_ratio(self, part: str, what: str, upper: Sequence[float], lower: Sequence[float], note: str = "") -> Row:
        """Add a row of ratios, each of two values of one round."""
        return self.add(part, what, "times", [a / b for a, b in zip(upper, lower, strict=True)], note)


def interleave(runs: Mapping[K, Callable[[], T]], rounds: int) -> dict[K, list[T]]:
    """Make every run once a round, and return what each gave, one a round.

    Every second round goes backwards, so that what drifts (heat, others' load) does not favour the first.
    """
    gave: dict[K, list[T]] = {name: [] for name in runs}
    for number in range(rounds):
        for name in list(runs)[:: 1 if number % 2 == 0 else -1]:
            gave[name].append(runs[name]())
    return gave
