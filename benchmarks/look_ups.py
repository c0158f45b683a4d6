"""Part a: GET /stocks/NAME out of the cache, beside views that do nothing; and what the load client can do."""

import os
import re
import statistics
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.bourse import Bourse
from benchmarks.load_client import LoadResult, latency_note, run_load
from benchmarks.plan import Plan
from benchmarks.processes import FRONTEND_CORE, is_listening
from benchmarks.results import Results, interleave
from benchmarks.traffic import HOT, look_up_requests
from deploy.systems.ports import PortBlock
from deploy.systems.process import Process
from deploy.systems.waiting import wait_until

PART = "a  GET /stocks/NAME out of the cache"
START_WITHIN_S = 30.0
WARM_UP_S = 0.5
CLIENTS_OF_CEILING = 8
# The cache is passed by when its watch of the catalog was held up for a second, as on a machine that is too busy.
LEAST_HITS = 0.95
_STOCK_READS = re.compile(r'^bourse_frontend_stock_reads_total\{cache="(\w+)"\} (\S+)$', re.MULTILINE)


def measure(plan: Plan, results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Measure the load client alone, then Bourse and the bare views by turns."""
    with _server("constant server", "benchmarks.constant_server", folder=folder) as address:
        loads = [_load(address, "/", CLIENTS_OF_CEILING, plan.seconds) for _ in range(plan.rounds)]
    _add(results, "the load client's ceiling: a server that answers a constant", loads)
    bare_site = _server("bare site", "benchmarks.serve", "benchmarks.bare_site", folder=folder)
    with Bourse(folder / "bourse") as bourse, bare_site as bare:
        path = f"/stocks/{HOT[0]}"
        targets = {
            "Bourse": (bourse.address, path),
            "bare DRF view": (bare, "/drf"),
            "bare Django view": (bare, "/django"),
        }
        runs = {
            f"{name} {clients}": partial(_load, address, path_of, clients, plan.seconds)
            for clients in plan.get_clients
            for name, (address, path_of) in targets.items()
        }
        for address, warm_path in targets.values():
            _load(address, warm_path, CLIENTS_OF_CEILING, WARM_UP_S)
        before = _stock_reads(bourse.address)
        gave = interleave(runs, plan.rounds)
        reads = {part: count - before.get(part, 0.0) for part, count in _stock_reads(bourse.address).items()}
    share = reads["hit"] / sum(reads.values())
    results.add(PART, "part of Bourse's look-ups that the cache answered", "", [share])
    if share < LEAST_HITS:
        results.failures.append(f"{PART}: not out of the cache: {reads}")
    _add_rows(plan, results, list(targets), gave, say)


def _add_rows(
    plan: Plan,
    results: Results,
    targets: Sequence[str],
    gave: Mapping[str, list[LoadResult]],
    say: Callable[[str], None],
) -> None:
    for clients in plan.get_clients:
        rates = {name: [load.rate for load in gave[f"{name} {clients}"]] for name in targets}
        for name in targets:
            _add(results, f"{clients:>2} clients: {name}", gave[f"{name} {clients}"])
        for other in targets[1:]:
            results.add_ratio(PART, f"{clients:>2} clients: Bourse / {other}", rates["Bourse"], rates[other])
        say(
            f"look-ups, {clients} clients: "
            + ", ".join(f"{name} {statistics.median(of):.0f}/s" for name, of in rates.items())
        )


def _stock_reads(address: str) -> dict[str, float]:
    """Return how many stocks the frontend has read so far, by the cache's part."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=START_WITHIN_S) as answer:
        return {part: float(count) for part, count in _STOCK_READS.findall(answer.read().decode())}


def _load(address: str, path: str, clients: int, seconds: float) -> LoadResult:
    return run_load(address, look_up_requests(path), clients=clients, seconds=seconds)


def _add(results: Results, what: str, loads: list[LoadResult]) -> None:
    client = sum(load.client_cpu_s for load in loads) / sum(load.seconds for load in loads)
    note = f"{latency_note(loads)}, load client {client:.0%} of a core"
    results.add(PART, what, "requests/s", [load.rate for load in loads], note)
    for load in loads:
        if load.errors:
            results.failures.append(f"{PART}, {what}: answers other than 200, by status: {dict(load.errors)}")


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
