"""`python -m benchmarks`, or `make bench`: measures, prints one table, writes JSON; exit code 1 if anything failed."""

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import catch_up, direct, failover, growth, look_ups, mixed, orders
from benchmarks.load_client import LoadError
from benchmarks.plan import FULL, QUICK, Plan
from benchmarks.processes import BenchmarkError
from benchmarks.results import Results
from benchmarks.table import render, write_json
from deploy.settings import ROOT
from deploy.systems.process import ProcessEnded
from deploy.systems.waiting import NotInTime

Say = Callable[[str], None]
Measure = Callable[[Plan, Results, Path, Say], None]
PARTS: dict[str, Measure] = {
    "look-ups": look_ups.measure,
    "orders": orders.measure,
    "grpc": direct.measure,
    "mixed": mixed.measure,
    "failover": failover.measure,
    "growth": growth.measure,
    "catch-up": catch_up.measure,
}
QUICK_PARTS = 2
SYNCS = 300


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="everything once and briefly")
    parser.add_argument("--parts", help=f"which, in this order (default: {','.join(PARTS)}; quick: the first two)")
    parser.add_argument("--largest", type=int, metavar="ORDERS", help="also a system of so many, like 10000000")
    parser.add_argument("--json", type=Path, default=ROOT / "var/bench.json", help="default: var/bench.json")
    parser.add_argument("--keep", action="store_true", help="leave the folder with all data and logs")
    given = parser.parse_args()
    default = list(PARTS)[:QUICK_PARTS] if given.quick else list(PARTS)
    names = given.parts.split(",") if given.parts else default
    plan = (QUICK if given.quick else FULL).grown_to(given.largest)
    if unknown := set(names) - PARTS.keys():
        parser.error(f"no part is named {min(unknown)!r}; there are {', '.join(PARTS)}")
    folder = Path(tempfile.mkdtemp(prefix="bourse-bench-"))
    folder.chmod(0o755)  # PostgreSQL may run as another user
    began = time.monotonic()
    results, environment = Results(), describe(folder)
    try:
        for name in names:
            _run(name, plan, results, folder / name)
    finally:
        if not given.keep:
            shutil.rmtree(folder)
    environment["took"] = f"{time.monotonic() - began:.0f} s, load average at the end {os.getloadavg()[0]:.1f}"
    write_json(results, environment, given.json)
    if given.keep:
        results.remarks.append(f"data and logs: {folder}")
    print(render(results, environment), end="")
    sys.exit(1 if results.failures else 0)


def _run(name: str, plan: Plan, results: Results, folder: Path) -> None:
    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    folder.mkdir()
    began = time.monotonic()
    try:
        PARTS[name](plan, results, folder, say)
    except (BenchmarkError, LoadError, NotInTime, ProcessEnded) as error:
        results.failures.append(f"{name}: {error}")
    say(f"--- {name}: {time.monotonic() - began:.0f} s")


def describe(folder: Path) -> dict[str, object]:
    """Return what the figures hang on besides the code."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.platform(terse=True)}",
        "load average at the start": f"{os.getloadavg()[0]:.1f}",
        "fdatasync": f"{sync_rate(folder):,.0f}/s of 100 bytes, one after the other, in {folder.parent}",
    }


def sync_rate(folder: Path) -> float:
    """Return how many times a second 100 bytes can be appended and synced here."""
    path = folder / "syncs"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        began = time.perf_counter()
        for _ in range(SYNCS):
            os.write(descriptor, b"x" * 100)
            os.fdatasync(descriptor)
        return SYNCS / (time.perf_counter() - began)
    finally:
        os.close(descriptor)
        path.unlink()


if __name__ == "__main__":
    main()
