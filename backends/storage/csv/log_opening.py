"""Opening a log: check it, mend it, and make sure that what is shown is on disk (docs/PROTOCOL.md, "Opening a log").

Files beside `<name>`:
    <name>.torn-<n>     the bytes of a torn tail that was cut off
    <name>.damaged-<n>  a damaged log, whole
    <name>.unsynced     the marker: a write, sync, rename or cut failed; the page cache may look better than the disk
    <name>.new          a copy that was being made when the process ended; of no use
"""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeAlias

import structlog

from backends.storage.csv.files import (
    DiskFull,
    Files,
    copy_bytes,
    new_file,
    path_aside,
    replace_file,
    sync_shown,
    write_all,
)
from backends.storage.csv.log_check import CheckedFile, Visit, check_file, find_damage
from backends.storage.ports import StartRefused
from common.rows import HEADER

log = structlog.get_logger()

Damage: TypeAlias = Literal["keep_prefix", "refuse"]
# Told what was found wrong with a file and mended, in words.
Found: TypeAlias = Callable[[str], None]

# Failures that are found in names and permissions, before anything is written: they say nothing about the disk.
_NOT_THE_DISK = (
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.EMFILE,
    errno.ENFILE,
)


class DamagedLog(StartRefused):
    """A bad row is no torn tail, and the caller wants no log without it. The file is as it was.

    Attributes:
        path: the log.
        number: the transaction number of the bad row; 0: the header.
        reason: what is wrong with it, for people.
    """

    def __init__(self, path: Path, number: int, reason: str) -> None:
        super().__init__(f"{path} is damaged: row {number} {reason}")
        self.path = path
        self.number = number
        self.reason = reason


def open_checked(
    path: Path, cluster_id: str, damage: Damage, files: Files, visit: Visit | None, found: Found
) -> tuple[int, CheckedFile]:
    """Open the log, made or mended, and return its descriptor and rows, which are on stable storage by then.

    `found` is told of what a crash does not explain.

    Raises:
        DamagedLog: it is damaged, and `damage` is "refuse".
        StartRefused: it cannot be opened, or the disk is too full to mend it; nothing is lost.
        OSError: a write, sync, rename or cut failed: `leave_marker`, and end the process.
    """
    try:
        _drop_leftover(path, files)
        has_marker = files.exists(marker_path(path))
        if not files.exists(path):
            replace_file(path, HEADER, files)
        elif has_marker:
            _renew(path, files)
            found(f"{path.name}: a write or sync of it had failed: it was written anew")
        descriptor, checked = _open_mended(path, cluster_id, damage, files, visit, found)
        if has_marker:
            files.unlink(marker_path(path))
            files.sync_directory(path.parent)
    except DiskFull as error:
        raise StartRefused(f"{path} cannot be opened: {error}") from error
    except OSError as error:
        if error.errno in _NOT_THE_DISK:
            raise StartRefused(f"{path} cannot be opened: {error.strerror}") from error
        raise
    return descriptor, checked


def marker_path(path: Path) -> Path:
    """Return the path of a log's marker."""
    return path.with_name(path.name + ".unsynced")


def leave_marker(path: Path, files: Files) -> bool:
    """Make the next start copy this log to a new file and sync that; return whether the marker is durable.

    After a failed sync the system may drop the bytes from the page cache's list of what is to be written: the file
    reads well, a later sync succeeds, and the disk has something else.
    """
    try:
        descriptor = files.open(marker_path(path), os.O_WRONLY | os.O_CREAT)
        try:
            files.fsync(descriptor)
        finally:
            files.close(descriptor)
        files.sync_directory(path.parent)
    except OSError:
        return False
    return True


def _open_mended(
    path: Path, cluster_id: str, damage: Damage, files: Files, visit: Visit | None, found: Found
) -> tuple[int, CheckedFile]:
    descriptor = files.open(path, os.O_RDWR)
    try:
        checked = check_file(files, descriptor, cluster_id, visit)
        if checked.bad is not None:
            _mend(path, descriptor, checked, damage, files, found)
            # The name may stand for another file now.
            mended = files.open(path, os.O_RDWR)
            files.close(descriptor)
            descriptor = mended
        # Torn tail or not: good rows may have come back from the page cache alone.
        sync_shown(files, descriptor)
        files.sync_directory(path.parent)
    except BaseException:
        with suppress(OSError):
            files.close(descriptor)
        raise
    return descriptor, checked


def _mend(path: Path, descriptor: int, checked: CheckedFile, damage: Damage, files: Files, found: Found) -> None:
    """Bring the file down to its good rows; all else is kept aside first."""
    details: dict[str, object] = {"path": str(path), "row": checked.bad_number, "reason": checked.bad}
    sign = find_damage(files, descriptor, checked)
    if sign is None:
        kept = _cut_torn_tail(path, descriptor, checked, files)
        log.warning("torn tail cut off", kept_in=str(kept), bytes=checked.size - checked.good_length, **details)
    elif damage == "keep_prefix":
        kept = _replace_by_prefix(path, descriptor, checked, files)
        log.error("damaged log kept aside, the rows before the damage are used", kept_in=str(kept), **details)
        found(f"{path.name}: row {checked.bad_number} was damaged: {checked.bad}; {sign}; kept as {kept.name}")
    else:
        raise DamagedLog(path, checked.bad_number, f"{checked.bad}; {sign}")


def _cut_torn_tail(path: Path, descriptor: int, checked: CheckedFile, files: Files) -> Path:
    """Keep the bytes behind the good ones aside, cut them off, and return where they are."""
    kept = free_name(path, "torn", files)
    with new_file(files, kept) as copy:
        copy_bytes(files, descriptor, checked.good_length, checked.size, copy)
    files.sync_directory(path.parent)
    cut(files, descriptor, checked.good_length)
    return kept


def cut(files: Files, descriptor: int, length: int) -> None:
    """Cut a log off, durably. Not fdatasync: if the cut did not last, rows that nobody was told of could return."""
    files.ftruncate(descriptor, length)
    files.fsync(descriptor)


def _replace_by_prefix(path: Path, descriptor: int, checked: CheckedFile, files: Files) -> Path:
    """Put a new file with the good rows in the place of a damaged one, and return where the damaged one is kept."""
    _copy_aside(path, descriptor, checked.good_length, files)
    kept = _keep_whole(path, descriptor, checked.size, files)
    files.rename(path_aside(path), path)
    files.sync_directory(path.parent)
    return kept


def _renew(path: Path, files: Files) -> None:
    """Write the whole log to a new file: bytes that only look synced are written again."""
    descriptor = files.open(path, os.O_RDONLY)
    try:
        _copy_aside(path, descriptor, files.size(descriptor), files)
    finally:
        files.close(descriptor)
    files.rename(path_aside(path), path)
    files.sync_directory(path.parent)
    log.warning("log written anew: a write or sync of it had failed", path=str(path))


def _copy_aside(path: Path, source: int, length: int, files: Files) -> None:
    """Copy the first `length` bytes of a log to the file aside, synced; without bytes, the header of an empty log."""
    with new_file(files, path_aside(path)) as copy:
        if length:
            copy_bytes(files, source, 0, length, copy)
        else:
            write_all(files, copy, HEADER, 0)


def _keep_whole(path: Path, descriptor: int, size: int, files: Files) -> Path:
    """Give the file at `path` a second name that stays when `path` is replaced; a copy where there are no links."""
    kept = free_name(path, "damaged", files)
    try:
        files.link(path, kept)
    except OSError:
        with new_file(files, kept) as copy:
            copy_bytes(files, descriptor, 0, size, copy)
    return kept


def free_name(path: Path, kind: str, files: Files) -> Path:
    """Return a name beside a file that is not taken, `<name>.<kind>-<n>`, under which something of it is kept."""
    number = 1
    while files.exists(free := path.with_name(f"{path.name}.{kind}-{number}")):
        number += 1
    return free


def _drop_leftover(path: Path, files: Files) -> None:
    if files.exists(path_aside(path)):
        files.unlink(path_aside(path))
