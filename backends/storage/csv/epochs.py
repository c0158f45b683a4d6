"""`catalog_epochs.csv`: the leaderships, one synced line each, in ascending order: epoch,leader_id,time."""

import os
import re

import structlog

from backends.storage.csv.appended_file import AppendedFile
from backends.storage.csv.files import sync_shown
from backends.storage.csv.log_opening import Found, free_name, marker_path
from backends.storage.csv.small_files import SmallFiles
from backends.storage.values import Epoch
from common.bounds import MAX_NUMBER, MAX_REPLICA_ID, TIME
from common.process.failpoints import failpoint

log = structlog.get_logger()

EPOCHS_NAME = "catalog_epochs.csv"
# So many of the newest leaderships are kept in memory, for operators.
RECENT_COUNT = 1000
# What leads an epoch that nobody asked for: nobody.
NO_LEADER_ID = 0
# Epochs that were begun and that no file shows any more: the first one of a new file is above those too.
EPOCH_MARGIN = 1000

_HEADER = b"epoch,leader_id,time\n"
_LINE = re.compile(rf"([1-9][0-9]{{0,15}}),(0|[1-9][0-9]{{0,3}}),({TIME.pattern})".encode())


class MalformedEpochs(Exception):
    """The file is not what this catalog writes; the message names line and value."""


def render_epochs(epochs: list[Epoch]) -> bytes:
    """Return the file's content for these leaderships."""
    return _HEADER + b"".join(_line(epoch) for epoch in epochs)


def parse_epochs(data: bytes) -> tuple[list[Epoch], int]:
    """Return the leaderships of a file's content, and the length of it that they take.

    What is behind the last line end was never synced, and so never answered: it is not counted.

    Raises:
        MalformedEpochs: a whole line is malformed, or an epoch is not one above that of the line before.
    """
    good_length = data.rfind(b"\n") + 1
    header, *lines = data[:good_length].split(b"\n")[:-1] or [b""]
    if header + b"\n" != _HEADER:
        raise MalformedEpochs(f"line 1 {_shown(header)} is not the header")
    epochs: list[Epoch] = []
    for number, line in enumerate(lines, start=2):
        epoch = _parse_line(line)
        if epoch is None:
            raise MalformedEpochs(f"line {number} is malformed: {_shown(line)}")
        # The first one may be any: a rebuild begins a new file above all that it has seen.
        if epochs and epoch.epoch != epochs[-1].epoch + 1:
            raise MalformedEpochs(f"line {number} has epoch {epoch.epoch} after epoch {epochs[-1].epoch}")
        epochs.append(epoch)
    return epochs, good_length


def epoch_above(data: bytes, last_epoch: int, time: str) -> Epoch:
    """Return an epoch above `last_epoch` and those of all well-formed lines, whatever else stands in the content."""
    seen = [epoch.epoch for epoch in map(_parse_line, data.split(b"\n")) if epoch is not None]
    return Epoch(max([last_epoch, *seen]) + EPOCH_MARGIN, NO_LEADER_ID, time)


def mend_epochs(small_files: SmallFiles, last_epoch: int, time: str, found: Found) -> None:
    """Write the file anew if it is missing or damaged, or lacks `last_epoch`, the journal's newest.

    It then begins above all epochs that are left of it.
    That is safe whatever is lost: an epoch that may not trade any more needs only a newer one. `found` is told.

    Raises:
        DiskFull: there is no space for it.
    """
    data = small_files.read(EPOCHS_NAME) if small_files.exists(EPOCHS_NAME) else b""
    try:
        epochs, _ = parse_epochs(data)
        newest = epochs[-1].epoch if epochs else 0
        if newest >= last_epoch:
            return
        problem = f"its newest epoch is {newest}, but the journal's last row is of epoch {last_epoch}"
    except MalformedEpochs as error:
        problem = str(error) if data else "it is empty or missing"
    kept = ""
    if data:
        aside = free_name(small_files.path(EPOCHS_NAME), "damaged", small_files.files)
        small_files.replace(aside.name, data)
        kept = f"; kept as {aside.name}"
    epoch = epoch_above(data, last_epoch, time)
    small_files.replace(EPOCHS_NAME, render_epochs([epoch]))
    log.error("epochs written anew", path=str(small_files.path(EPOCHS_NAME)), reason=problem, epoch=epoch.epoch)
    found(f"{EPOCHS_NAME} was damaged: {problem}: written anew, from epoch {epoch.epoch} on{kept}")


class EpochsFile:
    """The leaderships on disk. Callers serialise all calls; any thread may read `recent`.

    Attributes:
        recent: the newest RECENT_COUNT, oldest first; replaced as a whole.
    """

    def __init__(self, small_files: SmallFiles) -> None:
        """Open the file; a torn last line is cut off, and what is shown is on stable storage.

        Raises:
            MalformedEpochs: the file is damaged.
            DiskFull: there is no space to write it anew, which is needed after a failed write.
            OSError: the file cannot be opened or mended.
        """
        self._small_files = small_files
        self._files = small_files.files
        self._path = small_files.path(EPOCHS_NAME)
        epochs, self._length = self._mend(small_files.read(EPOCHS_NAME))
        self.recent = tuple(epochs[-RECENT_COUNT:])
        self._descriptor = self._files.open(self._path, os.O_RDWR)
        sync_shown(self._files, self._descriptor)
        self._files.sync_directory(self._path.parent)
        self._file = AppendedFile(
            self._path,
            self._descriptor,
            files=self._files,
            busy=small_files.busy,
            die=small_files.die,
            on_written=lambda: failpoint("epoch-written"),
            on_synced=lambda: failpoint("epoch-begun"),
        )

    def append(self, epoch: Epoch) -> None:
        """Add a leadership; it is on stable storage when this returns, and only then the newest.

        Raises:
            DiskFull: nothing changed.
        """
        line = _line(epoch)
        self._file.append(line, self._length)
        self._length += len(line)
        self.recent = (*self.recent[1 - RECENT_COUNT :], epoch)

    def close(self) -> None:
        """Close the file; nobody may append afterwards."""
        self._files.close(self._descriptor)

    def _mend(self, data: bytes) -> tuple[list[Epoch], int]:
        epochs, good_length = parse_epochs(data)
        marker = marker_path(self._path)
        has_marker = self._files.exists(marker)
        if good_length < len(data):
            log.warning("torn last line cut off", path=str(self._path), line=_shown(data[good_length:]))
        if has_marker or good_length < len(data):
            self._small_files.replace(EPOCHS_NAME, data[:good_length])
        if has_marker:
            self._files.unlink(marker)
            self._files.sync_directory(self._path.parent)
        return epochs, good_length


def _line(epoch: Epoch) -> bytes:
    return b"%d,%d,%b\n" % (epoch.epoch, epoch.leader_id, epoch.time.encode())


def _parse_line(line: bytes) -> Epoch | None:
    match = _LINE.fullmatch(line)
    if match is None or int(match[1]) > MAX_NUMBER or int(match[2]) > MAX_REPLICA_ID:
        return None
    return Epoch(int(match[1]), int(match[2]), match[3].decode())


def _shown(line: bytes) -> str:
    return repr(line[:80].decode("ascii", "backslashreplace"))
