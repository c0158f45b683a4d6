"""`python -m tests.chaos`: faults on the real processes. `make chaos` runs it.

Without FAULT every fault once, in an order that follows from the seed; with SECONDS random ones until the time is up.
Exit code 1 if a promise was broken or a bound missed; the directory of each such trial is kept.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import tests.chaos.faults  # noqa: F401 - registers them
from tests.chaos.running import Result, run_trial
from tests.chaos.trial import FAULTS, Fault


def main() -> int:
    """Run the command line and return the exit code."""
    arguments = parse_arguments()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 30)
    folder = Path(tempfile.mkdtemp(prefix="bourse-chaos-"))
    print(f"seed {seed}", flush=True)
    results = []
    for turn, chosen in enumerate(plan(arguments.fault, arguments.seconds, random.Random(seed))):
        result = run_trial(chosen, seed + turn, folder / f"{turn + 1}-{chosen.name}")
        results.append(result)
        print_result(result)
        if not result.problems:
            shutil.rmtree(result.folder)
    failed = sum(bool(result.problems) for result in results)
    orders = sum(result.orders for result in results)
    requests = sum(result.requests for result in results)
    print(f"{len(results)} trials, {orders} orders, {requests} requests checked, {failed} trials failed")
    if not failed:
        shutil.rmtree(folder)
    return 1 if failed else 0


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Faults on the real processes.")
    parser.add_argument(
        "--fault", metavar="NAME", help=f"this one alone, or all whose name begins so: {', '.join(FAULTS)}"
    )
    parser.add_argument("--seconds", type=float, metavar="N", help="random faults until the time is up")
    parser.add_argument("--seed", type=int, metavar="N", help="order of the faults, and what the clients do")
    arguments = parser.parse_args()
    if arguments.fault and not any(name.startswith(arguments.fault) for name in FAULTS):
        parser.error(f"no fault's name begins with {arguments.fault!r}; there are: {', '.join(FAULTS)}")
    return arguments


def plan(name: str | None, seconds: float | None, chance: random.Random) -> Iterator[Fault]:
    """Yield the faults to try, one after the other."""
    chosen = [one for one in FAULTS.values() if one.name.startswith(name or "")]
    if seconds is None:
        yield from chance.sample(chosen, len(chosen))
        return
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield chance.choice(chosen)


def print_result(result: Result) -> None:
    """Print a line of the table, and what was wrong below it."""
    word = "FAILED" if result.problems else "ok"
    measured = "; ".join(map(str, result.measurements))
    print(f"{word:6} {result.fault:44} {result.orders:6} orders {result.seconds:5.1f} s  {measured}", flush=True)
    if result.problems:
        print(*[f"       {line}" for problem in result.problems for line in problem.splitlines()], sep="\n")
        load = f"load average {os.getloadavg()[0]:.0f} on {os.cpu_count()} processors"  # a busy machine misses bounds
        print(f"       seed {result.seed}; {load}; kept in {result.folder}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
