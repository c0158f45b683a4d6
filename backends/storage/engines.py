"""Which engine keeps the data: the one place that says so. There is one, files in CSV under the data directory."""

import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from backends.storage.csv.data_directory import DataDirectory
from backends.storage.csv.fault_files import FaultFiles
from backends.storage.csv.files import OS_FILES, Files
from backends.storage.csv.ledger import open_ledger as open_csv_ledger
from backends.storage.csv.log import Log
from backends.storage.csv.log_opening import Found
from backends.storage.csv.order_log import ORDER_LOG_NAME, CsvOrderLog
from backends.storage.csv.small_files import SmallFiles
from backends.storage.ports import Ledger, OrderLog
from backends.storage.seed import DEFAULT_STOCKS, read_seed

log = structlog.get_logger()


def open_ledger(path: Path, seed: Path | None, environment: Mapping[str, str] = os.environ) -> Ledger:
    """Open the catalog's ledger in its directory; a new one begins with the stocks of `seed` (None: the shipped list).

    Raises:
        StartRefused: the seed file is malformed, the directory is in use or another's, or its files cannot be used.
        ConfigError: BOURSE_DISK_FAULTS names a folder that is missing.
    """
    files = files_from_environment(environment)
    directory = DataDirectory.open(path, "catalog", files=files)
    directory.findings.follow()
    if seed is not None and not directory.is_new:
        log.info("the seed file is not read: the directory is not new", seed=str(seed), data_dir=str(path))
    return open_csv_ledger(
        directory,
        lambda: read_seed(seed or DEFAULT_STOCKS, log.warning),
        SmallFiles(path, files),
        run_id=secrets.token_hex(8),
    )


def open_order_log(path: Path, replica_id: int, environment: Mapping[str, str] = os.environ) -> OrderLog:
    """Take a replica's directory; its rows are opened once it is known to belong to the right cluster (`adopt`).

    Raises:
        StartRefused: the directory cannot be used, is in use, or is another's. ConfigError: as open_ledger.
    """
    files = files_from_environment(environment)
    directory = DataDirectory.open(path, "order", replica_id, files)
    directory.findings.follow()
    return CsvOrderLog(directory, open_csv_log(path / ORDER_LOG_NAME, files))


def open_csv_log(path: Path, files: Files) -> Callable[[str, Found], Log]:
    """Return what opens a replica's log for a cluster: of a damaged one the rows before the damage are used."""
    return lambda cluster_id, found: Log.open(path, cluster_id, damage="keep_prefix", files=files, found=found)


def files_from_environment(environment: Mapping[str, str]) -> Files:
    """Return the operating system's files; with faults if BOURSE_DISK_FAULTS names a control file for them.

    Raises:
        ConfigError: its folder is missing.
    """
    control = environment.get("BOURSE_DISK_FAULTS")
    return FaultFiles(Path(control)) if control else OS_FILES
