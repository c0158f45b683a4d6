"""A disk in memory that knows what was synced: after a power cut nothing else is sure to be there.

Files and the names in a directory are kept twice: as programs see them, and as they are on stable storage; between the
two lie the changes that nobody has synced, in order. A sync of a file says nothing of its name, and the reverse: both
are what POSIX allows, and worse than what a journaling file system does.
"""

import copy
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple, TypeVar

T = TypeVar("T")

# What of the unsynced changes a power cut leaves: nothing, all, the first ones and a piece of the next, or any of them.
Survival = Literal["nothing", "all", "first", "any"]


class Change(NamedTuple):
    """A write at an offset or, without data, a cut at it."""

    offset: int
    data: bytes | None


class Inode:
    """A file's content.

    Attributes:
        seen: what programs read.
        stable: what a power cut cannot take.
        changes: what leads from `stable` to `seen`, unless a sync failed: then some of that is gone from it.
    """

    def __init__(self) -> None:
        self.seen = bytearray()
        self.stable = bytearray()
        self.changes: list[Change] = []

    def change(self, change: Change) -> None:
        """Write or cut; not on stable storage until `sync`."""
        _apply(self.seen, change)
        self.changes.append(change)

    def sync(self, *, data_only: bool = False) -> None:
        """Make all changes stable; with `data_only` (fdatasync) not a cut behind which nothing was written."""
        cuts = 0
        if data_only:
            while cuts < len(self.changes) and self.changes[-1 - cuts].data is None:
                cuts += 1
        count = len(self.changes) - cuts
        for change in self.changes[:count]:
            _apply(self.stable, change)
        del self.changes[:count]

    def fail_sync(self, random: Random) -> None:
        """A sync failed: some changes are stable, the others never will be, although programs still see them."""
        for change in self.changes:
            if random.random() < 0.5:
                _apply(self.stable, change)
        self.changes.clear()

    def cut_power(self, survival: Survival, random: Random) -> None:
        """Keep what is stable, and of the other changes what `survival` says."""
        for change in _survivors(self.changes, survival, random, lambda change: _piece(change, random)):
            _apply(self.stable, change)
        self.evict()

    def evict(self) -> None:
        """Forget all that is not on stable storage."""
        self.seen = bytearray(self.stable)
        self.changes.clear()


class Folder:
    """A directory: names of files, as programs see them and on stable storage. One change may be several names.

    A failed sync loses no names: they are the file system's own, which keeps them or stops.
    """

    def __init__(self) -> None:
        self.seen: dict[str, Inode] = {}
        self.stable: dict[str, Inode] = {}
        self.changes: list[dict[str, Inode | None]] = []

    def change(self, names: dict[str, Inode | None]) -> None:
        """Give names to files, or (None) take them away, in one step."""
        _rename(self.seen, names)
        self.changes.append(names)

    def sync(self) -> None:
        """Make all changes stable."""
        self.stable = dict(self.seen)
        self.changes.clear()

    def cut_power(self, survival: Survival, random: Random) -> None:
        """Keep what is stable, in each file too, and of the other changes what `survival` says."""
        for names in _survivors(self.changes, survival, random, lambda _names: None):
            _rename(self.stable, names)
        self.seen = dict(self.stable)
        self.changes.clear()
        for inode in self.seen.values():
            inode.cut_power(survival, random)


class Disk:
    """All directories of a run. Each belongs to one machine, whose power is cut by itself.

    Attributes:
        locked: the files that processes hold locked.
    """

    def __init__(self) -> None:
        self.folders: dict[Path, Folder] = {Path("/"): Folder()}
        self.locked: list[Inode] = []

    def folder(self, path: Path) -> Folder:
        """Return a directory. FileNotFoundError: there is none."""
        try:
            return self.folders[path]
        except KeyError:
            raise FileNotFoundError(2, "No such file or directory", str(path)) from None

    def make_folder(self, path: Path) -> None:
        """Make a directory; it is stable at once. FileExistsError: there is one."""
        if path in self.folders:
            raise FileExistsError(17, "File exists", str(path))
        self.folders[path] = Folder()

    def cut_power(self, path: Path, survival: Survival, random: Random) -> None:
        """Cut the power of the machine with this directory, which may not exist yet."""
        if path in self.folders:
            self.folders[path].cut_power(survival, random)

    def evict(self, path: Path) -> None:
        """Let programs see what is on stable storage where a failed sync has left a difference."""
        for inode in self.folders[path].seen.values() if path in self.folders else ():
            if not inode.changes:
                inode.evict()

    def wipe(self, path: Path) -> None:
        """Take the directory away with all that is in it."""
        self.folders.pop(path, None)

    def save(self, path: Path) -> Folder:
        """Return a copy of the directory as it is on stable storage."""
        saved = copy.deepcopy(self.folder(path))
        saved.seen = dict(saved.stable)
        saved.changes.clear()
        for inode in saved.seen.values():
            inode.evict()
        return saved

    def restore(self, path: Path, saved: Folder) -> None:
        """Put a copy in the place of the directory."""
        self.folders[path] = copy.deepcopy(saved)

    def replace(self, path: Path, content: bytes) -> None:
        """Give a file another content, on stable storage."""
        inode = self.folder(path.parent).seen[path.name]
        inode.seen, inode.stable = bytearray(content), bytearray(content)
        inode.changes.clear()

    def flip_byte(self, path: Path, random: Random) -> int | None:
        """Change one bit of a byte of a file that is on stable storage; return where, None if there is no such byte."""
        folder = self.folders.get(path.parent)
        inode = folder.stable.get(path.name) if folder else None
        if inode is None or not inode.stable:
            return None
        at = random.randrange(len(inode.stable))
        bit = 1 << random.randrange(8)
        inode.stable[at] ^= bit
        if at < len(inode.seen):
            inode.seen[at] ^= bit
        return at

    def seen(self, path: Path) -> bytes:
        """Return a file's content as programs see it, nothing if there is no such file."""
        folder = self.folders.get(path.parent)
        inode = folder.seen.get(path.name) if folder else None
        return bytes(inode.seen) if inode else b""

    def is_stable(self, path: Path, length: int) -> bool:
        """Return whether the first bytes of a file, as programs see them, would survive any power cut."""
        folder = self.folders.get(path.parent)
        inode = folder.seen.get(path.name) if folder else None
        if folder is None or inode is None or folder.stable.get(path.name) is not inode:
            return False
        return len(inode.stable) >= length and inode.stable[:length] == inode.seen[:length]


def _apply(content: bytearray, change: Change) -> None:
    offset, data = change
    if data is None:
        del content[offset:]
        return
    if offset > len(content):  # a hole reads as zeros
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _rename(names: dict[str, Inode], change: dict[str, Inode | None]) -> None:
    for name, inode in change.items():
        if inode is None:
            names.pop(name, None)
        else:
            names[name] = inode


def _piece(change: Change, random: Random) -> Change | None:
    """Return what may be left of the change that was under way: the first bytes of a write."""
    if change.data is None:
        return None
    return Change(change.offset, change.data[: random.randint(0, len(change.data))])


def _survivors(changes: list[T], survival: Survival, random: Random, piece: Callable[[T], T | None]) -> list[T]:
    match survival:
        case "nothing":
            return []
        case "all":
            return list(changes)
        case "any":
            return [change for change in changes if random.random() < 0.5]
    count = random.randint(0, len(changes))
    torn = [piece(change) for change in changes[count : count + 1]]
    return changes[:count] + [change for change in torn if change is not None]
