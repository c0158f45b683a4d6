"""`python -m deploy.systems FOLDER`: what `make run` starts, beside any other, on free ports, its data in FOLDER.

Writes one line, its URL, when orders can be placed. Ends with Ctrl-C, or when its standard input does. Its data are in
FOLDER/var, for `BOURSE_DATA_DIR=FOLDER/var make status`; its output is in FOLDER/output.
"""

if __name__ == "__main__":
    from common.process.start import start_clean

    start_clean()

import argparse
import contextlib
import sys
from pathlib import Path

from common.process.finish import run_program
from deploy.systems.process import ProcessEnded
from deploy.systems.supervised import SupervisedSystem
from deploy.systems.waiting import NotInTime


def main() -> None:
    """Run the command line; exit code 1 and the system's last lines if it does not start."""
    parser = argparse.ArgumentParser(prog="python -m deploy.systems", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--seed", type=Path, metavar="FILE", help="CSV file of stocks (default: the shipped list)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a variable of the processes")
    given = parser.parse_args()
    variables = dict(pair.partition("=")[::2] for pair in given.set)
    seed = given.seed.absolute() if given.seed else None
    with SupervisedSystem(given.folder.absolute(), seed, environment=variables) as system:
        print(f"http://{system.address}", flush=True)  # noqa: T201
        with contextlib.suppress(KeyboardInterrupt):
            sys.stdin.read()


if __name__ == "__main__":
    run_program("bourse", main, NotInTime, ProcessEnded)
