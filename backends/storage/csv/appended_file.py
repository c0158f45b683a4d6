"""A file that grows at its end alone, durably: the log, and the list of leaderships."""

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from backends.storage.csv.busy import BusyWatch
from backends.storage.csv.files import DiskFull, Files, write_all
from backends.storage.csv.log_opening import cut, leave_marker


def leave_marker_and_die(path: Path, files: Files, die: Callable[[str], NoReturn], error: OSError) -> NoReturn:
    """End the process after a failure of which it is not known what it left on the disk; the next start is told."""
    left = "" if leave_marker(path, files) else "; no marker could be left for the next start"
    die(f"{path}: {error}: this process ends without an answer{left}")


class AppendedFile:
    """An open file, all of it on stable storage; it is longer only while an append is under way.

    Where it ends is the owner's to say: by the same count as that by which it shows what stands in it. One thread at a
    time appends.
    """

    def __init__(
        self,
        path: Path,
        descriptor: int,
        *,
        files: Files,
        busy: BusyWatch,
        die: Callable[[str], NoReturn],
        on_written: Callable[[], None],
        on_synced: Callable[[], None],
    ) -> None:
        """`busy` is told of each append; `on_written` and `on_synced` are called between its steps: for failpoints."""
        self._path = path
        self._descriptor = descriptor
        self._files = files
        self._busy = busy
        self._die = die
        self._on_written = on_written
        self._on_synced = on_synced
        self._failed = False

    def append(self, data: bytes, at: int) -> float:
        """Write at the end, `at`, with one write and one sync; return how many seconds they took.

        Any failure but a full disk ends the process: it is not known which bytes are on stable storage.

        Raises:
            DiskFull: the file is cut back to what it was, durably; a later append may succeed.
            RuntimeError: an append has failed.
        """
        if self._failed:
            raise RuntimeError(f"{self._path}: an append has failed, the process should have ended")
        began = self._busy.begin()
        try:
            try:
                write_all(self._files, self._descriptor, data, at)
            except DiskFull:
                cut(self._files, self._descriptor, at)
                raise
            self._on_written()
            self._files.fdatasync(self._descriptor)
            self._on_synced()
        except OSError as error:
            self._failed = True
            leave_marker_and_die(self._path, self._files, self._die, error)
        finally:
            took_s = self._busy.end(began)
        return took_s
