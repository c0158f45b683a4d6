"""The sides of a comparison: systems of this checkout and, with --against, of another one, under load by turns."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.bourse import Bourse
from benchmarks.load_client import Load, LoadError, latency_note
from benchmarks.plan import Plan
from benchmarks.processes import BenchmarkError
from benchmarks.results import Results
from benchmarks.table import figure
from benchmarks.traffic import STOCKS
from deploy.systems.checkout import THIS
from deploy.systems.process import ProcessEnded
from deploy.systems.waiting import NotInTime

# Why something cannot be measured: it did not start, ended, is silent, or is not as it must be.
UNMEASURABLE = (BenchmarkError, LoadError, NotInTime, ProcessEnded)


@contextmanager
def side_by_side(
    plan: Plan,
    folder: Path,
    results: Results,
    part: str,
    *,
    stocks: Sequence[str] = STOCKS,
    environment: Mapping[str, str] | None = None,
    trial: Callable[[Bourse], object] = Bourse.check_before,
) -> Iterator[list[Bourse]]:
    """Start a system of each checkout of the plan; inside, those run that got through the `trial`, ours first.

    Another checkout that does not start so, or does not get through, is left out with a remark that says why: it may
    not be able to do yet what is measured.

    Raises:
        BenchmarkError, LoadError, NotInTime, ProcessEnded: ours did not get through.
    """
    with ExitStack() as stack:
        bourses = []
        for number, checkout in enumerate(plan.checkouts):
            own = stack.enter_context(ExitStack())
            bourse = Bourse(folder / f"side-{number}", checkout=checkout, stocks=stocks, environment=environment)
            try:
                own.enter_context(bourse)
                trial(bourse)
            except UNMEASURABLE as error:
                if checkout == THIS:
                    raise
                own.close()
                results.remarks.append(f"{part}: {bourse.name} is left out: {error}")
            else:
                bourses.append(bourse)
        yield bourses


def add_by_turns(
    results: Results,
    part: str,
    what: str,
    unit: str,
    values: Mapping[str, Sequence[float]],
    notes: Mapping[str, str] | None = None,
) -> None:
    """Add a row for each side, one value a round, and the ratios of the first side to the others."""
    for name, of in values.items():
        results.add(part, f"{what}: {name}", unit, of, (notes or {}).get(name, ""))
    first, *others = values
    for other in others:
        results.add_ratio(part, f"{what}: {first} / {other}", values[first], values[other])


def add_rates(
    results: Results, part: str, what: str, unit: str, loads: Mapping[str, Sequence[Load]]
) -> dict[str, list[float]]:
    """Add the rates of each side's loads as `add_by_turns` does, and a failure for answers that were not expected.

    Returns:
        the rates, one a round, by side.
    """
    rates = {name: [load.rate for load in of] for name, of in loads.items()}
    add_by_turns(results, part, what, unit, rates, {name: load_note(of) for name, of in loads.items()})
    for name, of in loads.items():
        for load in of:
            if load.errors:
                results.failures.append(f"{part}, {what}, {name}: other answers, by status: {dict(load.errors)}")
    return rates


def medians(values: Mapping[str, Sequence[float]]) -> str:
    """Return the median of each side in words."""
    return ", ".join(f"{name} {figure(statistics.median(of))}" for name, of in values.items())


def load_note(loads: Sequence[Load]) -> str:
    """Return the latencies in words, and how busy the load client was: near 100 % it may be what is measured."""
    client = sum(load.client_cpu_s for load in loads) / sum(load.seconds for load in loads)
    return f"{latency_note(loads)}, load client {client:.0%} of a core"
