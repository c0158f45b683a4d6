"""Rows, and covers of the file system, for the tests of the log."""

import errno
import os
from pathlib import Path
from typing import NoReturn

from backends.storage.csv.files import Files
from backends.storage.csv.log import Log
from backends.storage.csv.log_opening import Damage
from common.rows import HEADER, chain_seed, encode_row

CLUSTER = "cluster-1"


class Died(Exception):
    """What a log's `die` raises here instead of ending the process."""


class Crash(BaseException):
    """The process ended in the middle: nothing that it would do afterwards happens."""


def die(message: str) -> NoReturn:
    raise Died(message)


def make_rows(count: int, first: int = 1, prev_chain: int | None = None, cluster_id: str = CLUSTER) -> list[bytes]:
    """Return the lines of `count` orders from `first` on."""
    chain = chain_seed(cluster_id) if prev_chain is None else prev_chain
    rows = []
    for number in range(first, first + count):
        row, chain = encode_row(
            transaction_number=number,
            epoch=1 + number // 1000,
            stock_name="GOOGL" if number % 3 else "T",
            order_type="sell" if number % 2 else "buy",
            quantity=1 + number % 50,
            price_cents=4135 + number,
            account="" if number % 4 else "alice@example.org",
            idempotency_key=f"key-{number}",
            created_at=f"2031-04-09T13:05:{number // 10**6 % 60:02d}.{number % 10**6:06d}Z",
            prev_chain=chain,
        )
        rows.append(row)
    return rows


def write_log(path: Path, rows: list[bytes]) -> bytes:
    """Make a log file and return its content."""
    content = HEADER + b"".join(rows)
    path.write_bytes(content)
    return content


# A log of eight rows; ROW_ENDS[n] is the offset behind row n.
ROWS = make_rows(8)
CONTENT = HEADER + b"".join(ROWS)
ROW_ENDS = [len(HEADER + b"".join(ROWS[:n])) for n in range(9)]


def flipped(place: int, xor: int = 1) -> bytes:
    """Return CONTENT with one byte changed."""
    content = bytearray(CONTENT)
    content[place] ^= xor
    return bytes(content)


def content_after_opening(path: Path, damage: Damage = "keep_prefix", files: Files | None = None) -> bytes:
    """Open and close a log, check that it reads as its file, and return the file's content."""
    log = Log.open(path, CLUSTER, damage=damage, die=die, files=files or RecordingFiles())
    content = path.read_bytes()
    assert content == HEADER + (log.read(1, log.last_number) if log.last_number else b"")
    log.close()
    return content


_CHANGE_NOTHING = ("size", "pread", "exists", "close", "names", "is_writable", "lock")


class QuickFiles(Files):
    """The real files without waiting for the disk, for tests that open some thousands of logs."""

    def fdatasync(self, descriptor: int) -> None: ...

    def fsync(self, descriptor: int) -> None: ...

    def sync_directory(self, path: Path) -> None: ...


class RecordingFiles(Files):
    """Keeps what was called: the method, then its paths by name and its descriptors by the name of their file."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []

    def changes(self) -> list[tuple[str, ...]]:
        """Return the calls that can change what is on the disk."""
        return [call for call in self.calls if call[0] not in _CHANGE_NOTHING]

    def before(self, call: tuple[str, ...]) -> None:
        """Called before each call is made."""

    def _note(self, method: str, *subjects: int | Path) -> None:
        paths = (s if isinstance(s, Path) else Path(os.readlink(f"/proc/self/fd/{s}")) for s in subjects)
        call = (method, *(path.name.removesuffix(" (deleted)") for path in paths))
        self.before(call)
        self.calls.append(call)

    def open(self, path: Path, flags: int) -> int:
        self._note("open", path)
        return super().open(path, flags)

    def close(self, descriptor: int) -> None:
        self._note("close", descriptor)
        super().close(descriptor)

    def size(self, descriptor: int) -> int:
        self._note("size", descriptor)
        return super().size(descriptor)

    def pread(self, descriptor: int, count: int, offset: int) -> bytes:
        self._note("pread", descriptor)
        return super().pread(descriptor, count, offset)

    def pwrite(self, descriptor: int, data: bytes, offset: int) -> int:
        self._note("pwrite", descriptor)
        return super().pwrite(descriptor, data, offset)

    def fdatasync(self, descriptor: int) -> None:
        self._note("fdatasync", descriptor)
        super().fdatasync(descriptor)

    def fsync(self, descriptor: int) -> None:
        self._note("fsync", descriptor)
        super().fsync(descriptor)

    def ftruncate(self, descriptor: int, length: int) -> None:
        self._note("ftruncate", descriptor)
        super().ftruncate(descriptor, length)

    def exists(self, path: Path) -> bool:
        self._note("exists", path)
        return super().exists(path)

    def rename(self, source: Path, target: Path) -> None:
        self._note("rename", source, target)
        super().rename(source, target)

    def link(self, source: Path, target: Path) -> None:
        self._note("link", source, target)
        super().link(source, target)

    def unlink(self, path: Path) -> None:
        self._note("unlink", path)
        super().unlink(path)

    def names(self, path: Path) -> list[str]:
        self._note("names", path)
        return super().names(path)

    def make_directory(self, path: Path) -> None:
        self._note("make_directory", path)
        super().make_directory(path)

    def is_writable(self, path: Path) -> bool:
        self._note("is_writable", path)
        return super().is_writable(path)

    def lock(self, descriptor: int) -> None:
        self._note("lock", descriptor)
        super().lock(descriptor)

    def sync_directory(self, path: Path) -> None:
        self._note("sync_directory", path)
        super().sync_directory(path)


class FaultyFiles(RecordingFiles):
    """Fails as told.

    Attributes:
        faults: method and file name -> the errno that the next such call fails with; each fault happens once.
        room: how many more bytes fit on the disk; None: any number.
    """

    def __init__(self) -> None:
        super().__init__()
        self.faults: dict[tuple[str, ...], int] = {}
        self.room: int | None = None

    def before(self, call: tuple[str, ...]) -> None:
        number = self.faults.pop(call, None)
        if number is not None:
            raise OSError(number, os.strerror(number))

    def pwrite(self, descriptor: int, data: bytes, offset: int) -> int:
        if self.room is None:
            return super().pwrite(descriptor, data, offset)
        if self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = super().pwrite(descriptor, data[: self.room], offset)
        self.room -= written
        return written


class CrashingFiles(RecordingFiles):
    """Crashes before the n-th call that can change the disk, counted from 0."""

    def __init__(self, crash_at: int) -> None:
        super().__init__()
        self._crash_at = crash_at

    def before(self, call: tuple[str, ...]) -> None:
        if call[0] != "close" and len(self.changes()) == self._crash_at:
            raise Crash
