"""Part d: clients that look stocks up and place an order with a probability."""

import random
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.bourse import Bourse
from benchmarks.load_client import LoadResult, latency_note, run_load
from benchmarks.plan import Plan
from benchmarks.results import Results, interleave
from benchmarks.traffic import TEN, look_up_requests, order_requests

PART = "d  look-ups of ten stocks, a part p of the requests being orders"
CLIENTS = 32
CREATED = 201


def measure(plan: Plan, results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Measure by probability."""
    with Bourse(folder / "bourse") as bourse:
        runs = {str(p): partial(_run, bourse, p, plan.seconds, results) for p in plan.probabilities}
        gave = interleave(runs, plan.rounds)
    for p in plan.probabilities:
        loads = [load for load, _ in gave[str(p)]]
        orders = [count / load.seconds for load, count in gave[str(p)]]
        note = f"of them {statistics.median(orders):,.0f} orders/s, {latency_note(loads)}"
        row = results.add(PART, f"{CLIENTS} clients, p = {p}", "requests/s", [load.rate for load in loads], note)
        say(f"mixed, p = {p}: {row.median:.0f} requests/s")


def mixed_requests(names: Sequence[str], probability: float, seed: int) -> Callable[[], bytes]:
    """Return what makes the next request: an order with this probability, else a look-up of a random one."""
    chance = random.Random(seed)
    make_order = order_requests(names)
    look_ups = [look_up_requests(f"/stocks/{name}")() for name in names]

    def make() -> bytes:
        return make_order() if chance.random() < probability else chance.choice(look_ups)

    return make


def _run(bourse: Bourse, probability: float, seconds: float, results: Results) -> tuple[LoadResult, int]:
    """Return what the client saw, and how many of the answers were to orders."""
    bourse.check_before()
    make = mixed_requests(TEN, probability, seed=1)
    load = run_load(bourse.address, make, clients=CLIENTS, seconds=seconds, expected=(200, CREATED), keep=CREATED)
    what = f"mixed, p = {probability}"
    if load.errors:
        results.failures.append(f"{what}: answers other than 200 and 201, by status: {dict(load.errors)}")
    results.failures += [f"{what}: {fault}" for fault in bourse.faults(load.kept)]
    order_count = len(load.kept)
    load.kept.clear()
    return load, order_count
