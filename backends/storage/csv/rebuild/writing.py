"""Putting rebuilt files in the place of the catalog's: the old ones are kept, and every step can be taken again."""

import os

from backends.storage.csv.checkpoint import DATABASE_NAME, render_checkpoint
from backends.storage.csv.data_directory import IDENTITY_NAME, DataDirectory
from backends.storage.csv.epochs import EPOCHS_NAME, render_epochs
from backends.storage.csv.files import copy_bytes, write_all
from backends.storage.csv.ledger import JOURNAL_NAME
from backends.storage.csv.log_opening import marker_path
from backends.storage.csv.notebook import MARKER_NAME, write_marker
from backends.storage.csv.rebuild.sources import Source
from backends.storage.csv.small_files import SmallFiles
from backends.storage.values import Epoch, Stock
from common.rows import HEADER

_OLD_NAMES = (JOURNAL_NAME, DATABASE_NAME, EPOCHS_NAME, IDENTITY_NAME, MARKER_NAME)
_UNFINISHED = "a rebuild was begun and did not end"


def replace_catalog(
    directory: DataDirectory, small_files: SmallFiles, source: Source, stocks: list[Stock], epoch: Epoch
) -> list[str]:
    """Make the catalog's files those of a log, durably, and return the names under which the old ones are kept.

    From its first change to `finish` a marker keeps the catalog from starting. No file that the rebuild may have read
    is ever without its name or its content, so after a crash at any moment the same command can be run again.

    Raises:
        DiskFull: what was not replaced yet stands.
    """
    kept = _keep_aside(small_files)
    write_marker(small_files, _UNFINISHED)
    _replace_journal(small_files, source)
    small_files.replace(DATABASE_NAME, render_checkpoint(stocks))
    small_files.replace(EPOCHS_NAME, render_epochs([epoch]))
    _adopt(directory, small_files, source.cluster_id)
    return kept


def finish(small_files: SmallFiles) -> None:
    """Let the catalog start again: its files were written anew and compared."""
    files = small_files.files
    with small_files.writing(MARKER_NAME):
        for name in (JOURNAL_NAME, EPOCHS_NAME):
            if files.exists(marker_path(small_files.path(name))):
                files.unlink(marker_path(small_files.path(name)))
        files.unlink(small_files.path(MARKER_NAME))
        files.sync_directory(small_files.directory)


def _keep_aside(small_files: SmallFiles) -> list[str]:
    """Give every file of the catalog a second name, `<name>.before-rebuild-<n>` with the same n; return those."""
    files = small_files.files
    names = [name for name in _OLD_NAMES if small_files.exists(name)]
    number = 1
    while any(small_files.exists(_kept_name(name, number)) for name in _OLD_NAMES):
        number += 1
    with small_files.writing(JOURNAL_NAME):
        for name in names:
            # Files are replaced by renaming, never written in place: a second name keeps the old content.
            try:
                files.link(small_files.path(name), small_files.path(_kept_name(name, number)))
            except PermissionError:  # a file system without links
                small_files.replace(_kept_name(name, number), small_files.read(name))
        files.sync_directory(small_files.directory)
    return [_kept_name(name, number) for name in names]


def _kept_name(name: str, number: int) -> str:
    return f"{name}.before-rebuild-{number}"


def _replace_journal(small_files: SmallFiles, source: Source) -> None:
    """Put a copy of the source's good rows in the place of the journal; the source may be the journal itself."""
    files = small_files.files
    rebuilt = small_files.path(f"{JOURNAL_NAME}.rebuilt")
    with small_files.writing(JOURNAL_NAME):
        target = files.open(rebuilt, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            if source.good_length:
                _copy(small_files, source, target)
            else:
                write_all(files, target, HEADER, 0)
                files.fsync(target)
        finally:
            files.close(target)
        files.rename(rebuilt, small_files.path(JOURNAL_NAME))
        files.sync_directory(small_files.directory)


def _copy(small_files: SmallFiles, source: Source, target: int) -> None:
    descriptor = small_files.files.open(source.path, os.O_RDONLY)
    try:
        copy_bytes(small_files.files, descriptor, 0, source.good_length, target)
    finally:
        small_files.files.close(descriptor)


def _adopt(directory: DataDirectory, small_files: SmallFiles, cluster_id: str) -> None:
    """Make the directory the cluster's whose orders these are; another identity was kept aside."""
    if directory.cluster_id not in (None, cluster_id):
        with small_files.writing(IDENTITY_NAME):
            small_files.files.unlink(small_files.path(IDENTITY_NAME))
            small_files.files.sync_directory(small_files.directory)
        directory.cluster_id = None
    directory.adopt(cluster_id)
