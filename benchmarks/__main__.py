"""`python -m benchmarks`, or `make bench`: measures, prints one table, writes JSON; exit code 1 if anything failed."""

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import (
    accounts,
    burst,
    catch_up,
    direct,
    etcd,
    failover,
    growth,
    look_ups,
    mixed,
    order_reads,
    orders,
    streams,
    unfinished,
)
from benchmarks.plan import FULL, QUICK, Plan
from benchmarks.results import Results
from benchmarks.sides import UNMEASURABLE
from benchmarks.table import render, write_json
from deploy.settings import ROOT
from deploy.systems.checkout import THIS, Checkout, NoCheckout

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
    "order-reads": order_reads.measure,
    "accounts": accounts.measure,
    "etcd": etcd.measure,
    "streams": streams.measure,
    "unfinished": unfinished.measure,
    "burst": burst.measure,
}
# Those that can measure another checkout beside this one.
COMPARING = ("look-ups", "orders", "order-reads", "accounts", "etcd", "streams", "unfinished", "burst")
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
    parser.add_argument(
        "--against",
        type=Path,
        metavar="DIR",
        help=f"compare with the checkout there, which has its own .venv, by turns; parts: {','.join(COMPARING)}",
    )
    parser.add_argument("--rounds", type=int, help="of everything that is done by turns")
    parser.add_argument("--seconds", type=float, help="of each run under load")
    given = parser.parse_args()
    try:
        plan = chosen_plan(given)
        names = chosen_parts(given)
    except (NoCheckout, ValueError) as error:
        parser.error(str(error))
    folder = Path(tempfile.mkdtemp(prefix="bourse-bench-"))
    folder.chmod(0o755)  # PostgreSQL may run as another user
    began = time.monotonic()
    results, environment = Results(), describe(folder)
    if given.against is not None:
        environment["compared with"] = str(plan.checkouts[-1].folder)
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


def chosen_plan(given: argparse.Namespace) -> Plan:
    """Return what is to be measured.

    Raises:
        NoCheckout: there is none at --against.
    """
    plan = (QUICK if given.quick else FULL).grown_to(given.largest)
    plan = replace(plan, rounds=given.rounds or plan.rounds, seconds=given.seconds or plan.seconds)
    return plan if given.against is None else replace(plan, checkouts=(THIS, Checkout.at(given.against)))


def chosen_parts(given: argparse.Namespace) -> list[str]:
    """Return the names of the parts.

    Raises:
        ValueError: there is no such part, or it cannot be compared with another checkout.
    """
    possible = list(COMPARING if given.against else PARTS)
    names: list[str] = given.parts.split(",") if given.parts else possible[:QUICK_PARTS] if given.quick else possible
    if unknown := set(names) - set(possible):
        beside = "" if given.against is None else " that another checkout can be compared in"
        raise ValueError(f"no part{beside} is named {min(unknown)!r}; there are {', '.join(possible)}")
    return names


def _run(name: str, plan: Plan, results: Results, folder: Path) -> None:
    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    folder.mkdir()
    began = time.monotonic()
    try:
        PARTS[name](plan, results, folder, say)
    except UNMEASURABLE as error:
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
