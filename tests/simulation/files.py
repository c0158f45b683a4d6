"""The file system of one simulated process: calls on the simulated disk, with the faults that are due."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from random import Random

from backends.storage.csv.files import Files
from tests.simulation.disk import Change, Disk, Inode
from tests.simulation.process import Killed, ProcessEnded


class PowerCut(ProcessEnded):
    """The power of the machine was cut: what was not synced is lost or torn."""


class DiskFaults:
    """The faults of one machine's disk. They outlive its processes.

    Attributes:
        room: how many more bytes fit; None: any number.
        crash_in: at which of the next calls that change something the process is killed, or the power cut; 0: the next.
        crash: which of the two.
        failure_in: at which of the next such calls the system answers EIO, once.
        sync_s: how long each sync takes.
        has_failed: whether a call has answered EIO since the process began: it may end by that.
    """

    def __init__(self) -> None:
        self.room: int | None = None
        self.crash_in: int | None = None
        self.crash: type[ProcessEnded] = Killed
        self.failure_in: int | None = None
        self.sync_s = 0.0
        self.has_failed = False

    def heal(self) -> None:
        """No more faults."""
        self.room = self.crash_in = self.failure_in = None
        self.sync_s = 0.0


class SimulatedFiles(Files):
    """The calls of one process. When it has ended nothing that is left of its code can change the disk any more."""

    def __init__(self, disk: Disk, faults: DiskFaults, random: Random, on_slow_sync: Callable[[float], None]) -> None:
        """`on_slow_sync` is told of each sync that took a while, behind it."""
        self.has_ended = False
        self._disk = disk
        self._faults = faults
        self._random = random
        self._on_slow_sync = on_slow_sync
        self._inodes: dict[int, Inode] = {}  # by descriptor
        self._next_descriptor = 3
        self._locked: set[int] = set()

    def end(self) -> None:
        """The process has ended: its locks are given up."""
        self.has_ended = True
        for descriptor in list(self._inodes):
            self.close(descriptor)

    # -- Calls that change nothing ---------------------------------------------------------------------------------

    def close(self, descriptor: int) -> None:
        inode = self._inodes.pop(descriptor, None)
        if inode is not None and descriptor in self._locked:
            self._locked.discard(descriptor)
            self._disk.locked.remove(inode)

    def size(self, descriptor: int) -> int:
        return len(self._inode(descriptor).seen)

    def pread(self, descriptor: int, count: int, offset: int) -> bytes:
        return bytes(self._inode(descriptor).seen[offset : offset + count])

    def exists(self, path: Path) -> bool:
        folders = self._disk.folders
        return path in folders or (path.parent in folders and path.name in folders[path.parent].seen)

    def names(self, path: Path) -> list[str]:
        inside = [one.name for one in self._disk.folders if one.parent == path and one != path]
        return inside + list(self._disk.folder(path).seen)

    def is_writable(self, path: Path) -> bool:
        return path in self._disk.folders

    def lock(self, descriptor: int) -> None:
        inode = self._inode(descriptor)
        if inode in self._disk.locked:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        self._disk.locked.append(inode)
        self._locked.add(descriptor)

    # -- Calls that change something -------------------------------------------------------------------------------

    def open(self, path: Path, flags: int) -> int:
        folder = self._disk.folder(path.parent)
        inode = folder.seen.get(path.name)
        if inode is None:
            if not flags & os.O_CREAT:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
            inode = Inode()
            made: dict[str, Inode | None] = {path.name: inode}
            self._do(lambda: folder.change(made))
        elif flags & os.O_TRUNC and inode.seen:
            truncated = inode
            self._do(lambda: self._cut(truncated, 0))
        descriptor = self._next_descriptor
        self._next_descriptor += 1
        self._inodes[descriptor] = inode
        return descriptor

    def pwrite(self, descriptor: int, data: bytes, offset: int) -> int:
        inode = self._inode(descriptor)
        taken = self._take_room(inode, len(data), offset)
        written = bytes(data[:taken])

        def torn() -> None:
            inode.change(Change(offset, written[: self._random.randint(0, taken)]))

        self._do(lambda: inode.change(Change(offset, written)), torn)
        return taken

    def fdatasync(self, descriptor: int) -> None:
        inode = self._inode(descriptor)
        self._do(lambda: inode.sync(data_only=True), failing=lambda: inode.fail_sync(self._random))
        self._take_time()

    def fsync(self, descriptor: int) -> None:
        inode = self._inode(descriptor)
        self._do(inode.sync, failing=lambda: inode.fail_sync(self._random))
        self._take_time()

    def sync_directory(self, path: Path) -> None:
        folder = self._disk.folder(path)
        self._do(folder.sync, failing=lambda: None)
        self._take_time()

    def ftruncate(self, descriptor: int, length: int) -> None:
        inode = self._inode(descriptor)
        self._do(lambda: self._cut(inode, length))

    def rename(self, source: Path, target: Path) -> None:
        folder = self._disk.folder(source.parent)
        inode = folder.seen[source.name]
        self._do(lambda: folder.change({source.name: None, target.name: inode}))

    def link(self, source: Path, target: Path) -> None:
        folder = self._disk.folder(source.parent)
        if target.name in folder.seen:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        inode = folder.seen[source.name]
        self._do(lambda: folder.change({target.name: inode}))

    def unlink(self, path: Path) -> None:
        folder = self._disk.folder(path.parent)
        if path.name not in folder.seen:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        self._do(lambda: folder.change({path.name: None}))

    def make_directory(self, path: Path) -> None:
        self._do(lambda: self._disk.make_folder(path))

    def _inode(self, descriptor: int) -> Inode:
        if self.has_ended:
            raise Killed("the process has ended")
        return self._inodes[descriptor]

    # -- Faults ----------------------------------------------------------------------------------------------------

    def _do(
        self,
        effect: Callable[[], None],
        torn: Callable[[], None] = lambda: None,
        *,
        failing: Callable[[], None] | None = None,
    ) -> None:
        """Change something, unless a fault is due. A call that a crash meets has its effect, or a part (`torn`) of it.

        One that fails with EIO: `failing` if there is that, else as in a crash.
        """
        if self.has_ended:
            raise Killed("the process has ended")
        faults = self._faults
        if faults.crash_in is not None:
            faults.crash_in -= 1
            if faults.crash_in < 0:
                faults.crash_in = None
                self._random.choice((effect, torn))()
                self.has_ended = True
                raise faults.crash("within a call to the disk")
        if faults.failure_in is not None:
            faults.failure_in -= 1
            if faults.failure_in < 0:
                faults.failure_in = None
                faults.has_failed = True
                (failing or self._random.choice((effect, torn)))()
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        effect()

    def _take_time(self) -> None:
        if self._faults.sync_s:
            self._on_slow_sync(self._faults.sync_s)

    def _take_room(self, inode: Inode, count: int, offset: int) -> int:
        """Return how many of the bytes of a write fit on the disk, which then has less room; at least one does."""
        room = self._faults.room
        growth = offset + count - len(inode.seen)
        if room is None or growth <= 0:
            return count
        taken = count - max(0, growth - room)
        if taken <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._faults.room = room - min(growth, room)
        return taken

    def _cut(self, inode: Inode, length: int) -> None:
        if self._faults.room is not None:
            self._faults.room += max(0, len(inode.seen) - length)
        inode.change(Change(length, None))
