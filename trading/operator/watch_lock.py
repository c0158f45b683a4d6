"""One health loop for each data directory.

Apart from the loop, which knows no directory: in tests and in the simulation many of them run side by side.
"""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from common.process.config import ConfigError
from common.process.directories import make_directory
from common.process.private import keep_private

LOCK_NAME = "lock"


class WatchRuns(Exception):
    """Another health loop holds the directory; the message says which process, where, and since when."""


@contextmanager
def watching(directory: Path, now: datetime) -> Iterator[None]:
    """Hold the health loop's directory inside a `with` block; it is made if it is missing.

    The lock is the system's and ends with the process however that comes; what stands in the file is for people.

    Raises:
        WatchRuns: another process holds it.
        ConfigError: the directory cannot be used.
    """
    try:
        make_directory(directory)
        keep_private(directory)
        lock = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigError(f"data directory {directory} cannot be used: {error.strerror}") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            who = os.pread(lock, 1000, 0).decode("utf-8", "replace").strip() or "another process"
            raise WatchRuns(f"a health loop runs already on {directory}: {who}") from error
        with suppress(OSError):  # a full disk: the loop is needed then too, and the lock holds
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"pid {os.getpid()} on {socket.gethostname()} since {now:%Y-%m-%d %H:%M:%SZ}\n".encode(), 0)
        yield
    finally:
        os.close(lock)
