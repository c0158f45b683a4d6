"""The experiments: what is run, and what comes out as numbers."""

import math
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from examples.client import Client
from examples.workload.system import System, own_system
from examples.workload.traders import Sample, Session, trade

Say = Callable[[str], None]

OPEN_WITHIN_S = 30.0


@dataclass(frozen=True)
class Plan:
    """What to run.

    Attributes:
        seconds: of each measured phase.
        timeline_s: of the run in which the leader is killed, after `kill_at_s`.
        cache_sizes: for the run that shows how the cache fills and replaces.
    """

    clients: int = 4
    seconds: float = 4.0
    timeline_s: float = 40.0
    kill_at_s: float = 5.0
    probabilities: Sequence[float] = (0.0, 0.2, 0.4, 0.6, 0.8)
    cache_sizes: Sequence[int] = (8, 24, 1000)
    seed: int = 1


@dataclass
class Results:
    """What was measured.

    Attributes:
        phases: (cache on, probability) -> the samples.
        caches: cache size -> the samples.
        timeline: the samples of the run in which the leader is killed; `marks` are (seconds, what happened).
        stock_count: how many stocks there were to choose from.
        checked: orders compared at the end; `wrong`: those that differed.
    """

    phases: dict[tuple[bool, float], list[Sample]] = field(default_factory=dict)
    caches: dict[int, list[Sample]] = field(default_factory=dict)
    timeline: list[Sample] = field(default_factory=list)
    marks: list[tuple[float, str]] = field(default_factory=list)
    stock_count: int = 0
    checked: int = 0
    wrong: list[str] = field(default_factory=list)

    def take(self, sessions: Iterable[Session]) -> list[Sample]:
        """Add the checks of these sessions, and return their samples in the order of time."""
        samples = []
        for session in sessions:
            self.checked += session.checked
            self.wrong += session.wrong
            samples += session.samples
        return sorted(samples, key=lambda sample: sample.at_s)


def run_probabilities(plan: Plan, results: Results, seed: Path | None, say: Say) -> None:
    """Measure look-ups and orders for each probability, with the cache and without."""
    for cache_on in (True, False):
        with own_system(seed, cache_size=None if cache_on else 0) as system:
            results.stock_count = len(stock_names(system.url))
            for probability in plan.probabilities:
                samples = _trade(system, plan, results, probability, plan.seconds)
                results.phases[cache_on, probability] = samples
                say(f"cache {'on' if cache_on else 'off'}, p={probability:.1f}: {summary(samples)}")


def run_caches(plan: Plan, results: Results, seed: Path | None, say: Say) -> None:
    """Look stocks up, and trade a little, with caches that hold few, some and all of them."""
    for size in plan.cache_sizes:
        with own_system(seed, cache_size=size) as system:
            results.caches[size] = _trade(system, plan, results, 0.1, plan.seconds)
        say(f"cache of {size}: {hit_rate(results.caches[size]):.0%} hits")


def run_timeline(plan: Plan, results: Results, seed: Path | None, say: Say) -> None:
    """Trade while the leader is killed. It is started again at once, is caught up, and leads again after a while."""
    with own_system(seed) as system:
        began = time.monotonic()
        is_open = threading.Event()

        def mark(what: str) -> None:
            results.marks.append((time.monotonic() - began, what))
            say(f"{results.marks[-1][0]:.1f} s: {what}")

        def watch() -> None:
            states = dict.fromkeys((1, 2, 3), "in-sync")
            for event_type, data in Client(system.url).events(is_open.set, types="leader,replica"):
                if event_type == "leader":
                    mark(f"{data['leader']} leads" if data["leader"] else "nobody leads")
                elif event_type == "replica" and states[data["id"]] != data["state"]:
                    states[data["id"]] = data["state"]
                    mark(f"{data['id']} {data['state']}")

        def kill() -> None:
            leader = system.leader()
            mark(f"leader {leader} killed")
            system.control("kill", f"order-{leader}")

        threading.Thread(target=watch, daemon=True).start()
        if not is_open.wait(OPEN_WITHIN_S):
            raise RuntimeError(f"the stream of events was not open within {OPEN_WITHIN_S:g} s")
        began = time.monotonic()  # from here on nothing that happens is missed
        threading.Timer(plan.kill_at_s, kill).start()
        results.timeline = _trade(system, plan, results, 0.5, plan.timeline_s, began)
    say(f"timeline: {summary(results.timeline)}")


def _trade(
    system: System, plan: Plan, results: Results, probability: float, seconds: float, began: float | None = None
) -> list[Sample]:
    sessions = trade(
        system.url,
        stock_names(system.url),
        clients=plan.clients,
        probability=probability,
        seconds=seconds,
        seed=plan.seed,
        began=began,
    )
    return results.take(sessions)


def stock_names(url: str) -> list[str]:
    """Return the names of all stocks, following the cursors."""
    with Client(url) as bourse:
        return [stock.name for stock in bourse.stocks()]


def seconds_of(samples: Iterable[Sample], what: str) -> list[float]:
    """Return how long each look-up that succeeded, or order that was placed, took."""
    return [sample.seconds for sample in samples if sample.what == what and sample.result in _SUCCESSES]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of the values does not exceed (nearest rank); NaN without values."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def hit_rate(samples: Iterable[Sample]) -> float:
    """Return the share of look-ups that the cache answered; NaN without look-ups."""
    hits = [sample.result == "HIT" for sample in samples if sample.what == "look-up"]
    return statistics.fmean(hits) if hits else math.nan


def summary(samples: Sequence[Sample]) -> str:
    """Return counts, medians and 99th percentiles in one line."""
    parts = []
    for what in ("look-up", "order"):
        if seconds := seconds_of(samples, what):
            median, high = percentile(seconds, 0.5) * 1e3, percentile(seconds, 0.99) * 1e3
            parts.append(f"{len(seconds)} {what}s, median {median:.1f} ms, p99 {high:.1f} ms")
    return "; ".join(parts)


_SUCCESSES = frozenset({"HIT", "MISS", "BYPASS", "placed"})
