"""Files whose writes and syncs fail or hang as a control file says. Used only where BOURSE_DISK_FAULTS names one.

The control file may be missing, and may change at any time (replace it as a whole). It holds a rule a line, the first
that fits counts:

    OPERATION NAME FAULT     write or sync; a file's name, with the wildcards of a shell; what happens to it

    FAULT  EIO, ENOSPC, ...  the call fails with this error
           full:LENGTH       the disk is full when the file has LENGTH bytes: a write takes what fits, then ENOSPC
           hang              the call does not go on while the rule stands

After each sync a line is added to `<control file>.synced`: the length in bytes up to which the file is on stable
storage, and its path. What was written beyond that may be gone after a power cut.
"""

import errno
import os
import threading
import time
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

from backends.storage.csv.files import Files
from common.process.config_error import ConfigError

POLL_S = 0.01


class FaultFiles(Files):
    """The operating system's files, with faults. Any number of threads may use it."""

    def __init__(self, control: Path) -> None:
        """Obey the rules in `control`.

        Raises:
            ConfigError: its folder is missing.
        """
        if not control.absolute().parent.is_dir():
            raise ConfigError(f"BOURSE_DISK_FAULTS={str(control)!r}: there is no such folder")
        self._control = control
        self._synced = control.with_name(control.name + ".synced")
        self._lock = threading.Lock()
        # Guarded by _lock, as is the record:
        self._paths: dict[int, Path] = {}  # by descriptor
        self._lengths: dict[Path, int] = {}  # what is on stable storage

    def open(self, path: Path, flags: int) -> int:
        descriptor = super().open(path, flags)
        with self._lock:
            self._paths[descriptor] = path
        return descriptor

    def close(self, descriptor: int) -> None:
        with self._lock:
            self._paths.pop(descriptor, None)
        super().close(descriptor)

    def pwrite(self, descriptor: int, data: bytes, offset: int) -> int:
        fault = self._suffer("write", self._paths[descriptor].name)
        if fault.startswith("full:"):
            data = data[: max(0, int(fault.removeprefix("full:")) - offset)]
            if not data:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().pwrite(descriptor, data, offset)

    def fdatasync(self, descriptor: int) -> None:
        self._sync(descriptor, super().fdatasync)

    def fsync(self, descriptor: int) -> None:
        self._sync(descriptor, super().fsync)

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        self._record(target, self._lengths.pop(source, 0))

    def _sync(self, descriptor: int, sync: Callable[[int], None]) -> None:
        path, length = self._paths[descriptor], self.size(descriptor)
        self._suffer("sync", path.name)
        sync(descriptor)
        self._record(path, length)

    def _record(self, path: Path, length: int) -> None:
        with self._lock, self._synced.open("a") as record:
            self._lengths[path] = length
            record.write(f"{length} {path}\n")

    def _suffer(self, operation: str, name: str) -> str:
        """Hang or fail if a rule says so; return a fault that is the caller's to act out, "" if there is none.

        Raises:
            OSError: the rule's.
        """
        while (fault := self._fault(operation, name)) == "hang":
            time.sleep(POLL_S)
        if fault and ":" not in fault:
            number: int = getattr(errno, fault)
            raise OSError(number, os.strerror(number))
        return fault

    def _fault(self, operation: str, name: str) -> str:
        try:
            rules = [line.split() for line in self._control.read_text().splitlines()]
        except FileNotFoundError:
            return ""
        return next((fault for when, names, fault in rules if when == operation and fnmatch(name, names)), "")
