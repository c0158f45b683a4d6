"""Opening the catalog's files as a ledger: all of them must be there and tell one story, or it does not start."""

import secrets
import time
from collections.abc import Callable
from pathlib import Path

from backends.storage.changes import ChangeFeed
from backends.storage.csv.checkpoint import (
    DATABASE_NAME,
    CheckpointFile,
    MalformedCheckpoint,
    parse_checkpoint,
    render_checkpoint,
)
from backends.storage.csv.data_directory import IDENTITY_NAME, DataDirectory
from backends.storage.csv.epochs import EPOCHS_NAME, EpochsFile, mend_epochs, render_epochs
from backends.storage.csv.log import Log
from backends.storage.csv.log_opening import DamagedLog, Found
from backends.storage.csv.notebook import MARKER_NAME, REBUILD_COMMAND, CsvNotebook, read_marker
from backends.storage.csv.order_log import CsvOrderLog
from backends.storage.csv.small_files import SmallFiles
from backends.storage.held_ledger import HeldLedger
from backends.storage.ports import StartRefused, StoreFull
from backends.storage.replay import Replay, ReplayFailed, checkpoint_number
from backends.storage.stocks import StockTable
from backends.storage.values import Stock
from common.rows import HEADER

JOURNAL_NAME = "catalog_journal.csv"
_NO_IDENTITY = f", but {IDENTITY_NAME}, the identity of the directory, is missing or damaged"
# When an epoch began that a mended file begins with, if no trade tells a better time.
LONG_AGO = "1970-01-01T00:00:00.000000Z"


class CsvLedger(HeldLedger):
    """Implements ports.Ledger: the catalog's files, opened.

    Attributes:
        checkpoint: the stocks' file, which follows the trades once the ledger is started.
    """

    def __init__(self, journal: CsvOrderLog, replay: Replay, small_files: SmallFiles, epochs: EpochsFile, run_id: str):
        """`replay` has played the journal; `run_id` differs from that of every earlier run."""
        stocks = StockTable(replay.stocks.values(), journal.position, ChangeFeed(run_id))
        self.checkpoint = CheckpointFile(small_files, stocks)
        notebook = CsvNotebook(small_files, epochs, self.checkpoint)
        super().__init__(journal, notebook, stocks, replay.keys, replay.last_created_at)


def open_ledger(
    directory: DataDirectory,
    new_stocks: Callable[[], list[Stock]],
    small_files: SmallFiles,
    *,
    run_id: str,
    new_cluster_id: Callable[[], str] = lambda: secrets.token_hex(8),
    monotonic: Callable[[], float] = time.monotonic,
) -> CsvLedger:
    """Open the catalog's files in its directory, and make them first if the directory is new.

    `new_stocks` is asked only for a new directory. The ledger gives the directory up when it is closed.

    Raises:
        StartRefused: a file is missing, damaged, or disagrees with another; names the file, the row and the repair.
    """
    try:
        if directory.is_new:
            _create(directory, new_stocks, small_files, new_cluster_id())
        return _open(directory, small_files, run_id, monotonic)
    except StoreFull as error:
        raise StartRefused(f"data directory {directory.path}: {error}") from error
    except OSError as error:
        raise StartRefused(f"data directory {directory.path} cannot be used: {error}") from error


def refuse(path: Path, problem: str) -> StartRefused:
    """Return the refusal that names a file, what is wrong with it, and the repair."""
    repair = f"{REBUILD_COMMAND} --data-dir {path.parent} (with `make run`: make rebuild)"
    return StartRefused(f"{path}: {problem}; to repair, stop all processes and run: {repair}")


def _create(
    directory: DataDirectory, new_stocks: Callable[[], list[Stock]], small_files: SmallFiles, cluster_id: str
) -> None:
    """Make the files of a new catalog. The identity comes last: after a crash before it, all is made again."""
    _check_nothing_is_lost(small_files)
    _check_no_orders_beside(directory, small_files)
    small_files.replace(DATABASE_NAME, render_checkpoint(new_stocks()))
    small_files.replace(EPOCHS_NAME, render_epochs([]))
    small_files.replace(JOURNAL_NAME, HEADER)
    directory.adopt(cluster_id)


def _check_nothing_is_lost(small_files: SmallFiles) -> None:
    """Refuse to take a directory for new whose identity is missing or damaged, but not its trades."""
    if small_files.exists(MARKER_NAME):
        raise refuse(small_files.path(MARKER_NAME), "the directory has to be rebuilt")
    if small_files.size(JOURNAL_NAME) > len(HEADER):
        raise refuse(small_files.path(JOURNAL_NAME), f"it holds trades{_NO_IDENTITY}")
    if small_files.size(EPOCHS_NAME) > len(render_epochs([])):
        raise refuse(small_files.path(EPOCHS_NAME), f"it holds epochs{_NO_IDENTITY}")
    if small_files.exists(DATABASE_NAME) and checkpoint_number(_read_checkpoint(small_files)) > 0:
        raise refuse(small_files.path(DATABASE_NAME), f"it is of trades{_NO_IDENTITY}")


def _check_no_orders_beside(directory: DataDirectory, small_files: SmallFiles) -> None:
    """Refuse to begin a new cluster where replicas of an older one have their directories: its catalog was lost."""
    beside = directory.path.absolute().parent
    for name in sorted(small_files.files.names(beside)):
        if name.startswith("order-") and small_files.files.exists(beside / name / IDENTITY_NAME):
            raise refuse(
                directory.path / JOURNAL_NAME,
                f"the file is missing, but {beside / name} belongs to a cluster already: its catalog was lost",
            )


def _open(directory: DataDirectory, small_files: SmallFiles, run_id: str, monotonic: Callable[[], float]) -> CsvLedger:
    for name in (DATABASE_NAME, JOURNAL_NAME):
        if not small_files.exists(name):
            raise refuse(small_files.path(name), "the file is missing")
    if (reason := read_marker(small_files)) is not None:
        raise refuse(small_files.path(JOURNAL_NAME), f"it cannot be used: {reason}")
    journal, replay = _open_journal(directory, small_files, monotonic)
    mend_epochs(small_files, replay.last_epoch, replay.last_created_at or LONG_AGO, directory.findings.note)
    return CsvLedger(journal, replay, small_files, EpochsFile(small_files), run_id)


def _open_journal(
    directory: DataDirectory, small_files: SmallFiles, monotonic: Callable[[], float]
) -> tuple[CsvOrderLog, Replay]:
    path = small_files.path(JOURNAL_NAME)
    cluster_id = directory.cluster_id
    if cluster_id is None:
        raise StartRefused(f"data directory {directory.path} has no identity")
    replay = Replay(_read_checkpoint(small_files))

    def open_log(own_cluster: str, found: Found) -> Log:
        return Log.open(
            path,
            own_cluster,
            damage="refuse",
            files=small_files.files,
            monotonic=monotonic,
            die=small_files.die,
            visit=replay.visit,
            found=found,
        )

    journal = CsvOrderLog(directory, open_log, small_files.die, JOURNAL_NAME)
    try:
        journal.adopt(cluster_id)
    except ReplayFailed as error:
        raise refuse(small_files.path(DATABASE_NAME), f"it disagrees with {path.name}: {error}") from error
    except DamagedLog as error:
        raise refuse(path, f"row {error.number} is damaged: {error.reason}") from error
    if replay.last_number < replay.checkpoint_number:
        raise refuse(
            path, f"its last row is {replay.last_number}, but {DATABASE_NAME} is as of trade {replay.checkpoint_number}"
        )
    for disagreement in replay.disagreements.values():
        raise refuse(small_files.path(DATABASE_NAME), f"it disagrees with {path.name}: {disagreement}")
    return journal, replay


def _read_checkpoint(small_files: SmallFiles) -> list[Stock]:
    try:
        return parse_checkpoint(small_files.read(DATABASE_NAME))
    except MalformedCheckpoint as error:
        raise refuse(small_files.path(DATABASE_NAME), f"it is damaged: {error}") from error
