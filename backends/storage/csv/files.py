"""The file system as the backends use it: a thin cover of `os`, and the few durable operations built on it."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backends.storage.ports import StoreFull
from common.process.failpoints import failpoint

COPY_BYTES = 1 << 20
# At least what stands in a file between two syncs: the rows of one message.
MOST_UNSYNCED_BYTES = 8 << 20


class DiskFull(StoreFull):
    """There is no space, or no quota, left for a write. What stood in the file before is unchanged."""


class Files:
    """The calls that the owner of a data directory makes.

    Replaceable as a whole, by a layer that injects faults or by a simulated disk.

    Every method is one system call, fails with OSError as that does, and may be called by any number of threads.
    """

    def open(self, path: Path, flags: int) -> int:
        """Open a file and return its descriptor. It is not inherited by programs that this process starts."""
        return os.open(path, flags, 0o644)

    def close(self, descriptor: int) -> None:
        """Close a descriptor."""
        os.close(descriptor)

    def size(self, descriptor: int) -> int:
        """Return the file's length in bytes."""
        return os.fstat(descriptor).st_size

    def pread(self, descriptor: int, count: int, offset: int) -> bytes:
        """Return up to `count` bytes from `offset`; fewer only at the end of the file."""
        return os.pread(descriptor, count, offset)

    def pwrite(self, descriptor: int, data: bytes, offset: int) -> int:
        """Write at `offset` and return how many bytes were taken: fewer than given when the disk fills up."""
        return os.pwrite(descriptor, data, offset)

    def fdatasync(self, descriptor: int) -> None:
        """Return when the file's bytes, and the length needed to read them, are on stable storage."""
        os.fdatasync(descriptor)

    def fsync(self, descriptor: int) -> None:
        """Return when the file's bytes and all that is known about it are on stable storage."""
        os.fsync(descriptor)

    def ftruncate(self, descriptor: int, length: int) -> None:
        """Cut the file off at `length`."""
        os.ftruncate(descriptor, length)

    def exists(self, path: Path) -> bool:
        """Return whether there is something by this name."""
        return os.path.lexists(path)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name; a file that has that name already is replaced, in one step."""
        os.rename(source, target)

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name. FileExistsError: that name is taken."""
        os.link(source, target)

    def unlink(self, path: Path) -> None:
        """Remove a name."""
        os.unlink(path)

    def names(self, path: Path) -> list[str]:
        """Return what is in a directory, in no order."""
        return os.listdir(path)

    def make_directory(self, path: Path) -> None:
        """Make a directory in one that exists. FileExistsError: that name is taken."""
        os.mkdir(path)

    def is_writable(self, path: Path) -> bool:
        """Return whether this process may make files in a directory."""
        return os.access(path, os.W_OK | os.X_OK)

    def lock(self, descriptor: int) -> None:
        """Lock a file until its descriptor is closed. BlockingIOError: somebody else has it locked."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def sync_directory(self, path: Path) -> None:
        """Return when the names in this directory are on stable storage."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


OS_FILES = Files()


@contextmanager
def _telling_when_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"no space left on the disk: {error.strerror}") from error
        raise


def write_all(files: Files, descriptor: int, data: bytes, offset: int) -> None:
    """Write all of `data` at `offset`: one call, unless the system takes only a part of it.

    Raises:
        DiskFull: a part of the bytes may stand in the file.
        OSError: any other failure; nothing is known about the bytes.
    """
    with _telling_when_full():
        written = files.pwrite(descriptor, data, offset)
        while written < len(data):  # most often a disk that is filling up: the next call says so
            written += files.pwrite(descriptor, data[written:], offset + written)


def read_file(files: Files, path: Path) -> bytes:
    """Return the whole content of a file that nobody changes meanwhile.

    Raises:
        OSError: it cannot be read.
    """
    descriptor = files.open(path, os.O_RDONLY)
    try:
        return files.pread(descriptor, files.size(descriptor), 0)
    finally:
        files.close(descriptor)


@contextmanager
def new_file(files: Files, path: Path) -> Iterator[int]:
    """Give the descriptor of a new, empty file to the block that fills it; behind the block it is synced and closed.

    A file of that name is overwritten. The name itself is not synced.

    Raises:
        DiskFull: the file is removed.
        OSError: any other failure.
    """
    with _telling_when_full():
        descriptor = files.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        yield descriptor
        files.fsync(descriptor)
    except DiskFull:
        with suppress(OSError):
            files.unlink(path)
        raise
    finally:
        files.close(descriptor)


def replace_file(path: Path, data: bytes, files: Files = OS_FILES) -> None:
    """Make `data` the whole content of a file, durably: at any time, also after a power cut, it is the old or the new.

    Written aside as `<name>.new`, synced, renamed, and the directory synced. Callers serialise calls for one path.

    Raises:
        DiskFull: the old content stands, and the file aside is removed.
        OSError: any other failure. It is not known which content is on stable storage; the process must end.
    """
    aside = path_aside(path)
    with new_file(files, aside) as descriptor:
        write_all(files, descriptor, data, 0)
    failpoint("replace-written")
    files.rename(aside, path)
    failpoint("replace-renamed")
    files.sync_directory(path.parent)


def path_aside(path: Path) -> Path:
    """Return where a file that will replace `path` is written."""
    return path.with_name(path.name + ".new")


def sync_shown(files: Files, descriptor: int) -> None:
    """Bring what is read from a file to stable storage, also if an earlier sync failed and nobody could say so.

    Who is killed within a sync that fails leaves no marker, and to the system the bytes look synced from then on. So
    the last MOST_UNSYNCED_BYTES are written over themselves first.

    Raises:
        OSError: it is not known what is on stable storage.
    """
    end = files.size(descriptor)
    position = max(0, end - MOST_UNSYNCED_BYTES)
    with suppress(DiskFull):  # where bytes written anew need a place of their own; a sync alone is then all there is
        while position < end:
            chunk = files.pread(descriptor, min(COPY_BYTES, end - position), position)
            write_all(files, descriptor, chunk, position)
            position += len(chunk)
    files.fdatasync(descriptor)


def copy_bytes(files: Files, source: int, start: int, end: int, target: int) -> None:
    """Copy the bytes start..end (exclusive) of a file to the beginning of another, in bounded chunks.

    Raises:
        DiskFull: the target is incomplete.
        OSError: any other failure, or the source ends before `end`.
    """
    position = start
    while position < end:
        chunk = files.pread(source, min(COPY_BYTES, end - position), position)
        if not chunk:
            raise OSError(errno.EIO, f"the file ends at byte {position}, before {end}")
        write_all(files, target, chunk, position - start)
        position += len(chunk)
