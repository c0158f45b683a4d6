"""What the catalog's small files have in common: where they are, how they are replaced, what a failed write means."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from backends.storage.csv.busy import BusyWatch
from backends.storage.csv.files import OS_FILES, Files, read_file, replace_file
from common.process.exit_now import exit_process


@dataclass(frozen=True)
class SmallFiles:
    """The catalog's directory, with the ways to write in it.

    Attributes:
        directory: the catalog's data directory.
        files: the file system.
        die: ends the process at once, without an answer.
        busy: knows the writes under way.
    """

    directory: Path
    files: Files = OS_FILES
    die: Callable[[str], NoReturn] = exit_process
    busy: BusyWatch = field(default_factory=lambda: BusyWatch(time.monotonic))

    def path(self, name: str) -> Path:
        """Return the path of one of the files."""
        return self.directory / name

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        return self.files.exists(self.path(name))

    def read(self, name: str) -> bytes:
        """Return the whole content of the file.

        Raises:
            OSError: it cannot be read.
        """
        return read_file(self.files, self.path(name))

    def size(self, name: str) -> int:
        """Return the length of the file in bytes, 0 if there is none.

        Raises:
            OSError: it cannot be opened.
        """
        if not self.exists(name):
            return 0
        descriptor = self.files.open(self.path(name), os.O_RDONLY)
        try:
            return self.files.size(descriptor)
        finally:
            self.files.close(descriptor)

    def replace(self, name: str, data: bytes) -> None:
        """Make `data` the whole content of the file, durably. Callers serialise calls for one name.

        Any failure but a full disk ends the process: it is not known which content is on stable storage.

        Raises:
            DiskFull: the old content stands.
        """
        with self.writing(name):
            replace_file(self.path(name), data, self.files)

    @contextmanager
    def writing(self, name: str) -> Iterator[None]:
        """Do durable work on a file inside a `with` block; an OSError ends the process."""
        try:
            with self.busy.under_way():
                yield
        except OSError as error:
            self.die(f"{self.path(name)}: {error}: this process ends without an answer")
