"""`python -m examples.workload`, or `make workload`: runs it all on a system of its own, and draws the plots.

Each client looks up a random stock and trades with probability p; at the end it compares every order that was
acknowledged with the server. Exit code 1 if any differs.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from examples.workload.runs import Plan, Results, run_caches, run_probabilities, run_timeline


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m examples.workload", description=__doc__)
    parser.add_argument("--clients", type=int, default=Plan.clients, help="client threads (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=Plan.seconds, help="of each phase (default: %(default)s)")
    parser.add_argument("--seed", type=Path, help="CSV file of stocks: name,price,quantity (default: the system's own)")
    parser.add_argument("--random-seed", type=int, default=Plan.seed, help="of the clients' choices")
    parser.add_argument("--out", type=Path, default=Path("docs/workload"), help="folder of the plots")
    given = parser.parse_args()
    plan = Plan(clients=given.clients, seconds=given.seconds, seed=given.random_seed)
    results = run(plan, given.seed)
    from examples.workload.plots import draw_all  # matplotlib: only who wants plots needs it

    for path in draw_all(results, given.out):
        print(path)
    print(f"random seed {plan.seed}: {results.checked} orders checked, {len(results.wrong)} wrong")
    for line in results.wrong:
        print(line, file=sys.stderr)
    sys.exit(1 if results.wrong else 0)


def run(plan: Plan, seed: Path | None = None) -> Results:
    """Run all of it, telling on stderr how it goes."""
    results = Results()
    console = Console(stderr=True)
    with Progress(console=console) as progress:
        task = progress.add_task("workload", total=2 * len(plan.probabilities) + len(plan.cache_sizes) + 1)

        def say(line: str) -> None:
            progress.console.print(line, highlight=False)
            if " s: " not in line:  # not one of the timeline's marks
                progress.advance(task)

        for part in (run_probabilities, run_caches, run_timeline):
            part(plan, results, seed, say)
    return results


if __name__ == "__main__":
    main()
