"""Part i: GET /orders/NUMBER, orders at random."""

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.bourse import Bourse
from benchmarks.load_client import LoadResult, get_request, run_load
from benchmarks.orders import run_orders
from benchmarks.plan import Plan
from benchmarks.results import Results, interleave
from benchmarks.sides import add_rates, medians, side_by_side
from benchmarks.traffic import HOST, TEN

PART = "i  GET /orders/NUMBER, at random out of all that were placed"
CLIENTS = 8
PLACING_S = 1.0
WARM_UP_S = 0.5


def measure(plan: Plan, results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Place orders on each side, then read them by turns."""
    with side_by_side(plan, folder, results, PART) as bourses:
        counts = {bourse: _place_some(bourse, results) for bourse in bourses}
        for bourse, count in counts.items():
            _read(bourse, count, WARM_UP_S)
        runs = {bourse.name: partial(_read, bourse, count, plan.seconds) for bourse, count in counts.items()}
        gave = interleave(runs, plan.rounds)
    placed = ", ".join(f"{count:,}" for count in counts.values())
    rates = add_rates(results, PART, f"{CLIENTS} clients, of {placed} orders", "requests/s", gave)
    say(f"orders by number: {medians(rates)} requests/s")


def _place_some(bourse: Bourse, results: Results) -> int:
    """Return how many orders there are then, at least."""
    return len(run_orders(bourse, CLIENTS, PLACING_S, TEN, results).load.latencies)


def random_order_requests(count: int, seed: int) -> Callable[[], bytes]:
    """Return what makes the next GET of one of the orders 1 to `count`."""
    chance = random.Random(seed)
    return lambda: get_request(f"/orders/{chance.randint(1, count)}", HOST)


def _read(bourse: Bourse, count: int, seconds: float) -> LoadResult:
    return run_load(bourse.address, random_order_requests(count, seed=1), clients=CLIENTS, seconds=seconds)
