"""Opening the catalog's files: all of them must be there and tell one story, or the catalog does not start."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backends.storage.csv.checkpoint import (
    DATABASE_NAME,
    MalformedCheckpoint,
    checkpoint_number,
    parse_checkpoint,
    render_checkpoint,
)
from backends.storage.csv.data_directory import IDENTITY_NAME, DataDirectory, StartRefused
from backends.storage.csv.epochs import EPOCHS_NAME, EpochsFile, MalformedEpochs, render_epochs
from backends.storage.csv.files import DiskFull
from backends.storage.csv.log import DamagedLog, Log
from backends.storage.csv.replay import Replay, ReplayFailed
from backends.storage.csv.rollback import MARKER_NAME, read_marker
from backends.storage.csv.small_files import SmallFiles
from backends.storage.known_keys import KnownKeys
from backends.storage.model import Stock
from common.rows import HEADER

JOURNAL_NAME = "catalog_journal.csv"
REBUILD_COMMAND = "python -m backends.catalog.rebuild"


@dataclass(frozen=True)
class CatalogState:
    """What the catalog's files hold, checked, replayed and synced.

    Attributes:
        stocks: as of the journal's last row.
        last_created_at: of that row; "" if there is none.
    """

    cluster_id: str
    journal: Log
    small_files: SmallFiles
    epochs: EpochsFile
    stocks: list[Stock]
    keys: KnownKeys
    last_created_at: str


def open_catalog(
    directory: DataDirectory,
    new_stocks: Callable[[], list[Stock]],
    small_files: SmallFiles,
    *,
    new_cluster_id: Callable[[], str] = lambda: secrets.token_hex(8),
    monotonic: Callable[[], float] = time.monotonic,
) -> CatalogState:
    """Open the catalog's files in its directory, and make them first if the directory is new.

    `new_stocks` is asked only for a new directory.

    Raises:
        StartRefused: a file is missing, damaged, or disagrees with another; names the file, the row and the repair.
    """
    try:
        if directory.is_new:
            _create(directory, new_stocks, small_files, new_cluster_id())
        return _open(directory, small_files, monotonic)
    except DiskFull as error:
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
    """Refuse to take a directory for new whose identity is missing, but not its trades."""
    if small_files.exists(MARKER_NAME):
        raise refuse(small_files.path(MARKER_NAME), "the directory has to be rebuilt")
    if small_files.size(JOURNAL_NAME) > len(HEADER):
        raise refuse(small_files.path(JOURNAL_NAME), "it holds trades, but the identity of the directory is missing")
    if small_files.size(EPOCHS_NAME) > len(render_epochs([])):
        raise refuse(small_files.path(EPOCHS_NAME), "it holds epochs, but the identity of the directory is missing")
    if small_files.exists(DATABASE_NAME) and checkpoint_number(_read_checkpoint(small_files)) > 0:
        raise refuse(small_files.path(DATABASE_NAME), "it is of trades, but the identity of the directory is missing")


def _check_no_orders_beside(directory: DataDirectory, small_files: SmallFiles) -> None:
    """Refuse to begin a new cluster where replicas of an older one have their directories: its catalog was lost."""
    beside = directory.path.absolute().parent
    for name in sorted(small_files.files.names(beside)):
        if name.startswith("order-") and small_files.files.exists(beside / name / IDENTITY_NAME):
            raise refuse(
                directory.path / JOURNAL_NAME,
                f"the file is missing, but {beside / name} belongs to a cluster already: its catalog was lost",
            )


def _open(directory: DataDirectory, small_files: SmallFiles, monotonic: Callable[[], float]) -> CatalogState:
    for name in (DATABASE_NAME, JOURNAL_NAME, EPOCHS_NAME):
        if not small_files.exists(name):
            raise refuse(small_files.path(name), "the file is missing")
    if (reason := read_marker(small_files)) is not None:
        raise refuse(small_files.path(JOURNAL_NAME), f"it cannot be used: {reason}")
    cluster_id = directory.cluster_id
    if cluster_id is None:
        raise StartRefused(f"data directory {directory.path} has no identity")
    epochs = _open_epochs(small_files)
    journal, replay = _open_journal(cluster_id, small_files, monotonic)
    if replay.last_epoch > epochs.newest.epoch:
        raise refuse(
            small_files.path(EPOCHS_NAME),
            f"its newest epoch is {epochs.newest.epoch}, but row {replay.last_number} of the journal is of epoch"
            f" {replay.last_epoch}",
        )
    return CatalogState(
        cluster_id=cluster_id,
        journal=journal,
        small_files=small_files,
        epochs=epochs,
        stocks=list(replay.stocks.values()),
        keys=replay.keys,
        last_created_at=replay.last_created_at,
    )


def _open_journal(cluster_id: str, small_files: SmallFiles, monotonic: Callable[[], float]) -> tuple[Log, Replay]:
    path = small_files.path(JOURNAL_NAME)
    try:
        replay = Replay(_read_checkpoint(small_files))
        journal = Log.open(
            path,
            cluster_id,
            damage="refuse",
            files=small_files.files,
            monotonic=monotonic,
            die=small_files.die,
            visit=replay.visit,
        )
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


def _open_epochs(small_files: SmallFiles) -> EpochsFile:
    try:
        return EpochsFile(small_files)
    except MalformedEpochs as error:
        raise refuse(small_files.path(EPOCHS_NAME), f"it is damaged: {error}") from error


def _read_checkpoint(small_files: SmallFiles) -> list[Stock]:
    try:
        return parse_checkpoint(small_files.read(DATABASE_NAME))
    except MalformedCheckpoint as error:
        raise refuse(small_files.path(DATABASE_NAME), f"it is damaged: {error}") from error
