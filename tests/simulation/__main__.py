"""`python -m tests.simulation`: run many seeds in two processes, or one with its whole trace, or the planted mistakes.

Exit code: 0, or 1 if a seed found a violation, or a planted mistake was not found.
"""

import argparse
import gc
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait

import pytest

from tests.simulation.planted.bugs import BUGS, NOT_FOUND, bug_named, table
from tests.simulation.runs import Run, run_seed, run_seeds, silence_logs

PROCESSES = 2
SEEDS_A_TASK = 50
PROGRESS_S = 10.0


def main() -> int:
    """Read the command line, run, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="Seeded runs under faults.")
    parser.add_argument("--seeds", default="1-100000", metavar="A-B", help="run these (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3600.0, help="for so long at most (default: %(default)s)")
    parser.add_argument("--seed", type=int, metavar="N", help="run this one and print its whole trace")
    parser.add_argument("--planted", action="store_true", help="plant one mistake after the other; print the seeds")
    parser.add_argument(
        "--plant", choices=[bug.name for bug in BUGS], metavar="BUG", help="with --seed: with this mistake in the code"
    )
    arguments = parser.parse_args()
    silence_logs()
    if arguments.planted:
        return print_planted()
    if arguments.seed is not None:
        with pytest.MonkeyPatch.context() as patch:
            if arguments.plant:
                bug_named(arguments.plant).plant(patch)
            return replay(arguments.seed)
    first, _, last = arguments.seeds.partition("-")
    return run_many(int(first), int(last or first), arguments.seconds)


def print_planted() -> int:
    """Print the table of the planted mistakes, row by row."""
    are_found = True
    for row in table():
        print(row, flush=True)
        are_found = are_found and f"| {NOT_FOUND} |" not in row
    return 0 if are_found else 1


def replay(seed: int) -> int:
    """Run one seed and print everything that happened in it."""
    run, trace = run_seed(seed, is_verbose=True)
    print("\n".join(trace))
    print(report(run))
    for text in run.violations.values():
        print(text.partition("\n")[0])
    return 1 if run.violations else 0


def run_many(first: int, last: int, seconds: float) -> int:
    """Run seeds until all are done or the time is up; print progress, each violation, and a summary."""
    began = time.monotonic()
    total = Run()
    shown = began
    tasks = _tasks(first, last)
    with ProcessPoolExecutor(PROCESSES, initializer=_begin_worker) as pool:
        running: set[Future[Run]] = set()
        while True:
            while len(running) < 2 * PROCESSES and time.monotonic() - began < seconds and (task := next(tasks, None)):
                running.add(pool.submit(run_seeds, *task))
            if not running:
                break
            done, running = wait(running, timeout=PROGRESS_S, return_when=FIRST_COMPLETED)
            for future in done:
                for text in future.result().violations.values():
                    print(f"\nVIOLATION\n{text}\n", flush=True)
                total.add(future.result())
            if time.monotonic() - shown >= PROGRESS_S:
                shown = time.monotonic()
                print(
                    f"{total.seeds} seeds in {shown - began:.0f} s, violations: {len(total.violations)}",
                    file=sys.stderr,
                    flush=True,
                )
    print(report(total))
    print(f"{time.monotonic() - began:.0f} s, {PROCESSES} processes")
    return 1 if total.violations else 0


def report(run: Run) -> str:
    """Return the figures of a run as text."""
    faults = [f"  {count:>9,} {kind}" for kind, count in run.faults.most_common()]
    seeds = ", ".join(map(str, sorted(run.violations))) or "none"
    return "\n".join(
        [
            f"{run.seeds:,} seeds, {run.steps:,} steps, {run.simulated_s / 3600:,.1f} simulated hours",
            f"{run.orders:,} orders acknowledged",
            f"{run.faults.total():,} faults:",
            *faults,
            f"seeds with violations: {seeds}",
        ]
    )


def _tasks(first: int, last: int) -> Iterator[tuple[int, int]]:
    for start in range(first, last + 1, SEEDS_A_TASK):
        yield start, min(start + SEEDS_A_TASK - 1, last)


def _begin_worker() -> None:
    silence_logs()
    gc.freeze()  # the modules stay: collections look at what a run has made alone
    os.nice(5)  # whatever else runs here goes first


if __name__ == "__main__":
    sys.exit(main())
