"""Making a folder for data so that it is there after a power cut too."""

import errno
import os
from contextlib import suppress
from pathlib import Path


def make_directory(path: Path) -> None:
    """Make a folder and its missing parents, each durable in its own parent; nothing happens to those that exist.

    Raises:
        OSError: it cannot be made.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        with suppress(FileExistsError):  # another process makes it at this moment
            folder.mkdir()
        sync_directory(folder.parent)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))


def sync_directory(path: Path) -> None:
    """Return when the names in this folder are on stable storage."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
