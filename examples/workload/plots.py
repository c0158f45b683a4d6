"""The plots of the workload, as small PNG files."""

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from examples.workload.labels import ROW_COUNT, label_rows
from examples.workload.runs import Results, hit_rate, percentile, seconds_of
from examples.workload.traders import Sample

mpl.use("Agg")  # no window is needed

CACHE_BIN_S = 0.1
TIMELINE_BIN_S = 0.25


def draw_all(results: Results, folder: Path) -> list[Path]:
    """Write every plot into the folder and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    drawers: dict[str, Callable[[Results, Figure], None]] = {
        "lookups.png": lambda results, figure: _latency(results, figure, "look-up"),
        "orders.png": lambda results, figure: _latency(results, figure, "order"),
        "cache.png": _cache,
        "timeline.png": _timeline,
    }
    return [_save(draw, results, folder / name) for name, draw in drawers.items()]


def _save(draw: Callable[[Results, Figure], None], results: Results, path: Path) -> Path:
    figure = Figure(figsize=(7, 4), layout="constrained")
    draw(results, figure)
    figure.savefig(path, dpi=80)
    return path


def _latency(results: Results, figure: Figure, what: str) -> None:
    axes = figure.subplots()
    for cache_on, colour in ((True, "tab:blue"), (False, "tab:orange")):
        points = [
            (probability, seconds)
            for (cache, probability), samples in results.phases.items()
            if cache == cache_on and (seconds := seconds_of(samples, what))
        ]
        for share, style in ((0.5, "-o"), (0.99, "--^")):
            axes.plot(
                [probability for probability, _ in points],
                [percentile(seconds, share) * 1e3 for _, seconds in points],
                style,
                color=colour,
                label=f"cache {'on' if cache_on else 'off'}, {'median' if share == 0.5 else '99th percentile'}",
            )
    axes.set(title=f"Time of {what}s against the probability of an order", xlabel="probability p", ylabel="ms")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()


def _cache(results: Results, figure: Figure) -> None:
    axes = figure.subplots()
    for size, samples in results.caches.items():
        bins = _bins(samples, CACHE_BIN_S)
        axes.plot(
            [number * CACHE_BIN_S for number in bins],
            [100 * hit_rate(those) for those in bins.values()],
            label=f"room for {size}",
        )
    axes.set(
        title=f"Look-ups answered by the cache, {results.stock_count} stocks, p=0.1",
        xlabel="seconds from a cold start",
        ylabel="% hits",
        ylim=(0, 102),
    )
    axes.grid(alpha=0.3)
    axes.legend()


def _timeline(results: Results, figure: Figure) -> None:
    events, rate, latency = figure.subplots(3, 1, sharex=True, height_ratios=[1.6, 2, 2])
    bins = _bins([sample for sample in results.timeline if sample.result == "placed"], TIMELINE_BIN_S)
    numbers = range(max(bins, default=0))  # the last piece is not a whole one
    counts = [len(bins.get(number, [])) / TIMELINE_BIN_S for number in numbers]
    rate.plot([number * TIMELINE_BIN_S for number in numbers], counts, drawstyle="steps-post")
    rate.set(ylabel="orders begun/s", ylim=(0, None))
    placed = [sample for those in bins.values() for sample in those]
    latency.plot([one.at_s for one in placed], [one.seconds * 1e3 for one in placed], ".", markersize=2)
    latency.set(xlabel="seconds", ylabel="ms an order", yscale="log")
    width_s = max((sample.at_s for sample in results.timeline), default=1.0)
    title = "Orders while the leader is killed and returns (p=0.5)"
    events.set(title=title, xlim=(0, width_s), ylim=(0, ROW_COUNT), yticks=[])
    for (at_s, what), row in zip(results.marks, label_rows(results.marks, width_s), strict=True):
        side = "left" if at_s < 0.85 * width_s else "right"
        events.text(at_s, ROW_COUNT - 0.8 - row, f" {what} ", fontsize=8, horizontalalignment=side)
    for axes in (events, rate, latency):
        axes.grid(alpha=0.3)
        for at_s, _ in results.marks:
            axes.axvline(at_s, color="tab:red", alpha=0.5, linewidth=0.8)


def _bins(samples: list[Sample], width_s: float) -> dict[int, list[Sample]]:
    """Return the samples by the piece of time in which they began, in order."""
    bins: dict[int, list[Sample]] = {}
    for sample in samples:
        bins.setdefault(int(sample.at_s / width_s), []).append(sample)
    return bins
