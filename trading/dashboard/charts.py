"""Small line charts of the last two minutes: numbers to the points of an SVG picture."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from trading.dashboard.board import Sample

SPAN_S = 120.0
# The picture's own units; the page scales it.
WIDTH, HEIGHT = 240, 60
# A margin above and below, so that a line at 0 or at the top is not hidden by the edge.
VIEW_BOX = f"0 -2 {WIDTH} {HEIGHT + 4}"


class Point(NamedTuple):
    """A value, and how many seconds ago it was."""

    ago_s: float
    value: float


class Chart(NamedTuple):
    """What the page draws.

    Attributes:
        lines: the `points` of one SVG polyline each; more than one where there are gaps.
        top: the value at the upper edge.
        now, peak: the newest and the highest value, None without any.
    """

    lines: list[str]
    top: float
    now: float | None
    peak: float | None


def order_rate(samples: Sequence[Sample], now: float) -> Chart:
    """Return orders per second between each two samples."""
    points = [
        Point(now - later.at, (later.last_number - earlier.last_number) / (later.at - earlier.at))
        for earlier, later in pairwise(samples)
    ]
    peak = max((point.value for point in _shown(points)), default=0.0)
    return draw([points], top_above(peak))


def hit_rate(samples: Sequence[Sample], now: float) -> Chart:
    """Return the part of reads that the cache answered, in percent; a gap where nothing was read."""
    runs: list[list[Point]] = [[]]
    for earlier, later in pairwise(samples):
        reads = later.reads - earlier.reads
        if reads:
            runs[-1].append(Point(now - later.at, 100 * (later.hits - earlier.hits) / reads))
        elif runs[-1]:
            runs.append([])
    return draw(runs, 100.0)


def draw(runs: Iterable[Sequence[Point]], top: float) -> Chart:
    """Return the chart of runs of points, oldest first: 0 at its lower edge, `top` at its upper one."""
    shown = [run for points in runs if (run := _shown(points))]
    values = [point.value for run in shown for point in run]
    return Chart(
        [" ".join(_place(point, top) for point in _visible(run)) for run in shown],
        top,
        values[-1] if values else None,
        max(values) if values else None,
    )


def top_above(value: float) -> float:
    """Return the least of 1, 2, 5, 10, 20, 50, … that is not below `value`."""
    step = 1.0
    while True:
        for factor in (1, 2, 5):
            if factor * step >= value:
                return factor * step
        step *= 10


def _shown(points: Iterable[Point]) -> list[Point]:
    return [point for point in points if point.ago_s <= SPAN_S]


def _visible(run: Sequence[Point]) -> Sequence[Point]:
    """Return a line that can be seen: a single point is drawn as a second's worth."""
    return run if len(run) > 1 else [Point(run[0].ago_s + 1, run[0].value), *run]


def _place(point: Point, top: float) -> str:
    return f"{WIDTH * (1 - point.ago_s / SPAN_S):.1f},{HEIGHT * (1 - point.value / top):.1f}"
