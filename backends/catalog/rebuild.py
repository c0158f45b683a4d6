"""`python -m backends.catalog.rebuild`: makes the catalog's files anew from the replicas' logs, after a loss.

The operator's command of docs/PROTOCOL.md, "Loss of a disk": to be run with every process stopped. It is the repair of
the engine that keeps its data in CSV files.
"""

if __name__ == "__main__":
    from common.process.start import start_clean

    start_clean()

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path

from backends.serving.server import run_process
from backends.storage.csv.checkpoint import DATABASE_NAME
from backends.storage.csv.rebuild.rebuild import Rebuild
from backends.storage.csv.small_files import SmallFiles
from common.process.config import ClusterConfig


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m backends.catalog.rebuild",
        description="Makes the catalog's files anew from the order replicas' logs. Stop every process first.",
    )
    parser.add_argument("--data-dir", type=Path, metavar="D", help="the catalog's (default: BOURSE_DATA_DIR/catalog)")
    parser.add_argument(
        "--replica-dir",
        type=Path,
        metavar="DIR",
        action="append",
        help="a replica's directory, once for each (default: BOURSE_DATA_DIR/order-N for all of BOURSE_REPLICAS)",
    )
    parser.add_argument(
        "--seed",
        type=Path,
        metavar="FILE.csv",
        help=f"initial quantities that {DATABASE_NAME} cannot give: columns name,price,quantity",
    )
    parser.add_argument("--accept-missing", action="store_true", help="go on although a replica's log is missing")
    return parser.parse_args()


def main() -> None:
    """Rebuild, and print what was found and done. Raises StartRefused and ConfigError with a line for the operator."""
    arguments = parse_arguments()
    config = ClusterConfig.from_environment(os.environ)
    replica_dirs = arguments.replica_dir or [config.data_dir / f"order-{number}" for number in config.replicas]
    Rebuild(
        small_files=SmallFiles(arguments.data_dir or config.data_dir / "catalog"),
        replica_dirs=replica_dirs,
        seed=arguments.seed,
        accept_missing=arguments.accept_missing,
        report=lambda line: print(line, flush=True),  # noqa: T201 - the operator reads this
        utc_now=lambda: datetime.now(UTC),
    ).run()


if __name__ == "__main__":
    run_process("rebuild", main)
