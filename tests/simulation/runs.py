"""Running seeds: one run each, with what it did and the violation that it found."""

import traceback
from collections import Counter
from dataclasses import dataclass, field

import structlog

from tests.simulation.cluster import SimulatedCluster
from tests.simulation.lost_catalog import LostCatalog
from tests.simulation.other_history import OtherHistory

# In the first of so many seeds the catalog loses trades, in another one a replica comes back with another history; an
# operator repairs both.
LOST_CATALOG_EVERY = 20
OTHER_HISTORY_AT = 5
# In these of so many seeds an address may lead to the wrong replica.
MISLED_EVERY, MISLED_AT = 5, 3


@dataclass
class Run:
    """What one seed, or several together, came to.

    Attributes:
        seeds: how many.
        steps: events.
        orders: those that were acknowledged.
        simulated_s: the time that passed in the runs.
        faults: how many of each kind.
        violations: by seed, with the trace of what happened before.
    """

    seeds: int = 0
    steps: int = 0
    orders: int = 0
    simulated_s: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    violations: dict[int, str] = field(default_factory=dict)

    def add(self, other: "Run") -> None:
        """Add another's figures to these."""
        self.seeds += other.seeds
        self.steps += other.steps
        self.orders += other.orders
        self.simulated_s += other.simulated_s
        self.faults += other.faults
        self.violations |= other.violations


def run_seeds(first: int, last: int) -> Run:
    """Run the seeds first..last, both included."""
    total = Run()
    for seed in range(first, last + 1):
        run, _ = run_seed(seed)
        total.add(run)
    return total


def run_seed(seed: int, *, is_verbose: bool = False) -> tuple[Run, list[str]]:
    """Run one seed and return what it came to and its trace; all of it, messages too, with `is_verbose`.

    The same seed gives the same trace, in whatever process.
    """
    cluster = SimulatedCluster(seed, is_verbose=is_verbose)
    violations = {}
    try:
        if seed % LOST_CATALOG_EVERY == 0:
            LostCatalog(cluster).run()
        elif seed % LOST_CATALOG_EVERY == OTHER_HISTORY_AT and OtherHistory.is_possible(cluster):
            OtherHistory(cluster).run()
        else:
            if seed % MISLED_EVERY == MISLED_AT:
                cluster.faults.kinds.append(cluster.faults.mislead)
            cluster.run()
    except Exception as found:  # noqa: BLE001 - a fault may show as a violation or as a broken assumption of the code
        violations[seed] = _text(cluster, found)
    world = cluster.world
    run = Run(1, world.steps, len(cluster.history.acked), world.passed_s, world.faults, violations)
    return run, list(world.trace)


def silence_logs() -> None:
    """Let the processes log nothing: some thousand lines a second would be most of the work."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(50),
        logger_factory=structlog.ReturnLoggerFactory(),
        processors=[],
    )


def _text(cluster: SimulatedCluster, found: Exception) -> str:
    lines = [f"seed {cluster.seed}: {type(found).__name__}: {found}", *cluster.world.trace]
    if not isinstance(found, AssertionError):
        lines += traceback.format_exception(found)
    return "\n".join(lines)
