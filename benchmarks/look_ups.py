"""Part a: GET /stocks/NAME out of the cache, beside views that do nothing; and what the load client can do."""

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from benchmarks.bourse import Bourse
from benchmarks.load_client import Load, run_load
from benchmarks.plan import Plan
from benchmarks.processes import FRONTEND_CORE, is_listening
from benchmarks.results import Results, interleave
from benchmarks.sides import add_rates, medians, side_by_side
from benchmarks.syncs import get_metrics
from benchmarks.traffic import HOT, look_up_requests
from benchmarks.wrk import find_wrk, run_wrk
from deploy.systems.ports import PortBlock
from deploy.systems.process import Process
from deploy.systems.waiting import wait_until

PART = "a  GET /stocks/NAME out of the cache"
START_WITHIN_S = 30.0
WARM_UP_S = 0.5
CLIENTS_OF_WARM_UP = 8
# The cache is passed by when its watch of the catalog was held up for a second, as on a machine that is too busy.
LEAST_HITS = 0.95
# One run of a load client: at an address, of a path, with so many clients, for so many seconds.
LoadOne = Callable[[str, str, int, float], Load]
# What it saw, one run a round, by the words for the load client, the number of clients and the target.
Loads = Mapping[tuple[str, int, str], Sequence[Load]]
_STOCK_READS = re.compile(r'^bourse_frontend_stock_reads_total\{cache="(\w+)"\} (\S+)$', re.MULTILINE)


def measure(plan: Plan, results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Measure the load clients alone, then the sides, or Bourse and the bare views, by turns."""
    clients_of = _load_clients(results)
    with _server("constant server", "benchmarks.constant_server", folder=folder) as address:
        ceilings = _by_turns(plan, clients_of, {"a server that answers a constant": (address, "/")})
    _add_rows(results, "ceiling", ceilings, say)
    with ExitStack() as stack:
        bourses = stack.enter_context(side_by_side(plan, folder / "bourse", results, PART))
        targets = {bourse.name: (bourse.address, f"/stocks/{HOT[0]}") for bourse in bourses}
        if not plan.is_comparison:
            bare = stack.enter_context(_server("bare site", "benchmarks.serve", "benchmarks.bare_site", folder=folder))
            targets |= {"bare DRF view": (bare, "/drf"), "bare Django view": (bare, "/django")}
        for address, warm_path in targets.values():
            _load(address, warm_path, CLIENTS_OF_WARM_UP, WARM_UP_S)
        before = {bourse.name: _stock_reads(bourse.address) for bourse in bourses}
        gave = _by_turns(plan, clients_of, targets)
        for bourse in bourses:
            _check_cache(results, bourse, before[bourse.name])
    _add_rows(results, "look-ups", gave, say)


def _load_clients(results: Results) -> dict[str, LoadOne]:
    """Return what makes one run of each load client there is."""
    wrk = find_wrk()
    if wrk is None:
        results.remarks.append("wrk is not installed: look-ups were made by the load client in Python alone")
        return {"": _load}
    return {"": _load, ", by wrk": partial(_load_by_wrk, wrk)}


def _by_turns(plan: Plan, clients_of: Mapping[str, LoadOne], targets: Mapping[str, tuple[str, str]]) -> Loads:
    runs = {
        (by, clients, name): partial(load, address, path, clients, plan.seconds)
        for clients in plan.get_clients
        for by, load in clients_of.items()
        for name, (address, path) in targets.items()
    }
    return interleave(runs, plan.rounds)


def _check_cache(results: Results, bourse: Bourse, before: Mapping[str, float]) -> None:
    reads = {part: count - before.get(part, 0.0) for part, count in _stock_reads(bourse.address).items()}
    share = reads["hit"] / sum(reads.values())
    results.add(PART, f"part of the look-ups that the cache answered: {bourse.name}", "", [share])
    if share < LEAST_HITS:
        results.failures.append(f"{PART}: {bourse.name}: not out of the cache: {reads}")


def _add_rows(results: Results, what: str, gave: Loads, say: Callable[[str], None]) -> None:
    for by, clients in dict.fromkeys((by, clients) for by, clients, _ in gave):
        loads = {name: of for (its, number, name), of in gave.items() if (its, number) == (by, clients)}
        rates = add_rates(results, PART, f"{clients:>2} clients{by}", "requests/s", loads)
        say(f"{what}, {clients} clients{by}: {medians(rates)} requests/s")


def _stock_reads(address: str) -> dict[str, float]:
    """Return how many stocks the frontend has read so far, by the cache's part."""
    return {part: float(count) for part, count in _STOCK_READS.findall(get_metrics(address))}


def _load(address: str, path: str, clients: int, seconds: float) -> Load:
    return run_load(address, look_up_requests(path), clients=clients, seconds=seconds)


def _load_by_wrk(wrk: str, address: str, path: str, clients: int, seconds: float) -> Load:
    return run_wrk(wrk, address, path, clients=clients, seconds=seconds)


@contextmanager
def _server(name: str, module: str, *arguments: str, folder: Path) -> Iterator[str]:
    """Run a server of ours that takes its address as the last argument."""
    ports = PortBlock()
    address = ports.addresses[0]
    command = [sys.executable, "-m", module, *arguments, address]
    server = Process(name, command, os.environ, folder / f"{name}.log", core=FRONTEND_CORE)
    server.start()
    try:
        wait_until(lambda: is_listening(address), START_WITHIN_S, f"{name} listens")
        yield address
    finally:
        server.stop()
        ports.close()
