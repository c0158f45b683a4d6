"""Part f: what grows with the number of orders: start, memory, the cost of orders, look-ups and lists."""

import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path

from benchmarks.alone import start_catalog, start_replica
from benchmarks.bourse import Bourse
from benchmarks.grown import grow
from benchmarks.load_client import LoadResult, get_request, latency_note, run_load
from benchmarks.orders import run_orders
from benchmarks.plan import Plan
from benchmarks.results import Results, interleave
from benchmarks.traffic import HOST, TEN

PART = "f  growth: the same with more and more orders in the logs"
CLIENTS = 32
READERS = 8
PAGE = 100


def measure(plan: Plan, results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Measure systems of all sizes, and starts of single processes."""
    memory_sizes = [*plan.sizes, *plan.memory_sizes]
    grown = grow(folder, memory_sizes)
    say(f"growth: systems of {', '.join(f'{size:,}' for size in grown)} orders are made")
    _measure_starts(plan, results, grown)
    with ExitStack() as stack:
        systems = {size: stack.enter_context(Bourse(grown[size])) for size in plan.sizes}
        for size, system in systems.items():
            results.add(PART, f"{size:>10,} orders: `make run` until orders can be placed", "s", [system.ready_s])
        _measure_orders(plan, results, systems)
        _measure_reads(plan, results, systems, say)


def _measure_starts(plan: Plan, results: Results, grown: Mapping[int, Path]) -> None:
    """Start a catalog and a replica by themselves on each size; they check every row before they answer."""
    # Their first start also replays what is above the catalog's checkpoint, as after a crash.
    after_crash = {size: start_catalog(folder) for size, folder in grown.items()}
    runs = {f"catalog {size}": partial(start_catalog, folder) for size, folder in grown.items()}
    runs |= {f"replica {size}": partial(start_replica, folder) for size, folder in grown.items()}
    gave = interleave(runs, plan.rounds)
    for size in grown:
        for name in ("replica", "catalog"):
            starts = gave[f"{name} {size}"]
            note = f"{statistics.median(one.cpu_s for one in starts):.2f} s of CPU time,"
            note += f" {min(one.memory for one in starts) / 2**20:.1f} MiB of memory of its own"
            if name == "catalog":
                note += f"; {after_crash[size].seconds:.2f} s without a checkpoint"
            what = f"{size:>10,} orders: start of one {name}, every row checked"
            results.add(PART, what, "s", [one.seconds for one in starts], note)
    for name in ("replica", "catalog"):
        for less, more in list(pairwise(grown))[-2:]:
            pairs = zip(gave[f"{name} {less}"], gave[f"{name} {more}"], strict=True)
            each = [(upper.memory - lower.memory) / (more - less) for lower, upper in pairs]
            results.add(PART, f"memory an order of a {name}, {less:,} to {more:,}", "bytes", each)


def _measure_orders(plan: Plan, results: Results, systems: Mapping[int, Bourse]) -> None:
    runs = {
        str(size): partial(run_orders, system, CLIENTS, plan.seconds, TEN, results) for size, system in systems.items()
    }
    gave = interleave(runs, plan.rounds)
    rates = {size: [run.rate for run in gave[str(size)]] for size in systems}
    costs = {size: [run.cpu_us for run in gave[str(size)]] for size in systems}
    for size in systems:
        note = f"CPU {statistics.median(costs[size]):.0f} µs an order"
        results.add(PART, f"{size:>10,} orders: POST /orders, {CLIENTS} clients", "orders/s", rates[size], note)
    least = min(systems)
    for size in list(systems)[1:]:
        results.add_ratio(PART, f"time of an order, {size:,} / {least:,} orders", rates[least], rates[size])
        results.add_ratio(PART, f"CPU time of an order, {size:,} / {least:,} orders", costs[size], costs[least])


def reads(size: int) -> dict[str, Callable[[], bytes]]:
    """Return what makes the requests of each kind of read, in a system that began with so many orders."""
    chance = random.Random(1)
    fixed = {
        f"the newest {PAGE}": f"/orders?limit={PAGE}",
        f"{PAGE} from the middle": f"/orders?direction=asc&after_number={size // 2}&limit={PAGE}",
        f"the newest {PAGE} of one stock": f"/orders?name={TEN[0]}&limit={PAGE}",
    }

    def by_number() -> bytes:
        return get_request(f"/orders/{chance.randint(1, size)}", HOST)

    def by_key() -> bytes:
        return get_request(f"/orders?client_order_id=grown-{chance.randint(1, size):026d}", HOST)

    made: dict[str, Callable[[], bytes]] = {"one by its number": by_number, "one by its key": by_key}
    return made | {what: partial(get_request, path, HOST) for what, path in fixed.items()}


def _measure_reads(plan: Plan, results: Results, systems: Mapping[int, Bourse], say: Callable[[str], None]) -> None:
    runs: dict[str, Callable[[], LoadResult]] = {}
    for size, system in systems.items():
        for what, make in reads(size).items():
            seconds = plan.seconds / 2
            runs[f"{size} {what}"] = partial(run_load, system.address, make, clients=READERS, seconds=seconds)
    gave = interleave(runs, plan.rounds)
    for what in reads(1):
        for size in systems:
            loads = gave[f"{size} {what}"]
            _add_reads(results, f"{size:>10,} orders: GET {what}, {READERS} clients", loads)
        say(f"growth: GET {what}: " + ", ".join(f"{gave[f'{size} {what}'][0].rate:.0f}/s" for size in systems))


def _add_reads(results: Results, what: str, loads: Sequence[LoadResult]) -> None:
    results.add(PART, what, "requests/s", [load.rate for load in loads], latency_note(loads))
    errors = [dict(load.errors) for load in loads if load.errors]
    if errors:
        results.failures.append(f"{what}: answers other than 200, by status: {errors}")
