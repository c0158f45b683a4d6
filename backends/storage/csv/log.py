"""The log: the rows of one history in a file, appended with one write and one sync, found by number in one read."""

import threading
import time
from array import array
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import structlog

from backends.storage.csv.appended_file import AppendedFile, leave_marker_and_die
from backends.storage.csv.busy import BusyWatch
from backends.storage.csv.files import OS_FILES, Files
from backends.storage.csv.log_check import CheckedFile, Visit
from backends.storage.csv.log_opening import Damage, Found, open_checked
from backends.storage.values import Position
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.process.exit_now import exit_process
from common.process.failpoints import failpoint
from common.process.findings import NO_LONGER_GOOD
from common.row_checks import BadRow, CheckedRows, check_rows, check_unchanged
from common.rows import Row, chain_seed, end_chain, parse_row
from common.rwlock import ReadWriteLock

log = structlog.get_logger()

# An order waits for this at several processes: whoever asks why it took so long finds it in the log.
SLOW_S = 0.5


class Log:
    """The rows 1..last_number of one history, all of them synced.

    Any number of threads may read while one appends; only `append` must be called by one thread at a time. A reader
    sees all of an append or nothing of it, and never before its sync. Bytes are checked on every read. Once rows are
    found bad nothing more is read or appended, but for the position: all raise RpcFailure, DAMAGED if the next opening
    mends the log, else HALTED.
    """

    def __init__(
        self,
        path: Path,
        cluster_id: str,
        descriptor: int,
        checked: CheckedFile,
        files: Files,
        monotonic: Callable[[], float],
        die: Callable[[str], NoReturn],
        found: Found,
        reason: Reason,
    ) -> None:
        """For `open` alone."""
        self.path = path
        self._damage = ""  # what was found wrong with bytes that had been good
        self._reason = reason
        self._found = found
        self._seed = chain_seed(cluster_id)
        self._descriptor = descriptor
        self._files = files
        self._busy = BusyWatch(monotonic)
        self._file = AppendedFile(
            path,
            descriptor,
            files=files,
            busy=self._busy,
            die=die,
            on_written=lambda: failpoint("log-written"),
            on_synced=lambda: failpoint("log-synced"),
        )
        # Invariant: the bytes up to _ends[-1] are synced. The file is longer only while an append is under way.
        self._ends: array[int] = checked.ends  # guarded by _ends_lock; 8 bytes a row
        self._ends_lock = ReadWriteLock()  # never held across a read, write or sync of the file
        self._position = Position(checked.number, checked.chain)  # replaced as a whole, after _ends
        self._appending = threading.Lock()
        # Told, by the thread that appends, how many seconds each write with its sync took.
        self.on_sync: Callable[[float], None] = lambda _seconds: None
        # Told, by whichever thread finds it, what is wrong with bytes that had been good, before anybody else is.
        self.on_damage: Callable[[str], None] = lambda _damage: None

    @classmethod
    def open(
        cls,
        path: Path,
        cluster_id: str,
        *,
        damage: Damage,
        files: Files = OS_FILES,
        monotonic: Callable[[], float] = time.monotonic,
        die: Callable[[str], NoReturn] = exit_process,
        visit: Visit | None = None,
        found: Found = lambda _what: None,
    ) -> "Log":
        """Open a log, or make an empty one, check all of its rows, and mend it (docs/PROTOCOL.md, "Opening a log").

        A torn tail is kept aside and cut off, with a warning. Damage: with "keep_prefix" the file is kept aside and the
        rows before the damage are used; with "refuse" it raises. The file and its name are synced when this returns.
        `found` is told of damage, now and later, by whichever thread finds it.

        `visit(rows, first_number)` gets the bytes of all rows in order, some thousands at a time, while they are
        checked: a caller can replay them without reading twice. Until `open` returns they may not be shown to anybody.

        Raises:
            DamagedLog: a bad row is no torn tail, and `damage` is "refuse".
            StartRefused: the file cannot be opened, or the disk is too full to mend it.
        """
        try:
            descriptor, checked = open_checked(path, cluster_id, damage, files, visit, found)
        except OSError as error:
            leave_marker_and_die(path, files, die, error)
        reason = Reason.DAMAGED if damage == "keep_prefix" else Reason.HALTED
        return cls(path, cluster_id, descriptor, checked, files, monotonic, die, found, reason)

    @property
    def position(self) -> Position:
        """The last number and the chain at it, of one moment. Never waits."""
        return self._position

    @property
    def last_number(self) -> int:
        """The number of the last row, 0 if there is none. Never waits."""
        return self._position[0]

    @property
    def last_chain(self) -> int:
        """The chain at the last row. Never waits."""
        return self._position[1]

    def append(self, rows: bytes) -> None:
        """Append rows that continue `position`: one write, one sync, then they are visible. No rows: nothing happens.

        Raises:
            BadRow: they do not continue it; nothing was written.
            DiskFull: the file is cut back to what it was, durably; a later append may succeed.
            RuntimeError: another append is under way, or one has failed.
            RpcFailure: DAMAGED, HALTED: the file is damaged.
        """
        self._refuse_if_damaged()
        if not self._appending.acquire(blocking=False):
            raise RuntimeError(f"{self.path}: two appends at a time")
        try:
            number, chain = self._position
            checked = check_rows(rows, number, chain, base=self._ends[-1])
            if checked.count:
                self._store(rows)
                self._show(checked)
        finally:
            self._appending.release()

    def read(self, first: int, last: int) -> bytes:
        """Return the bytes of the rows first..last, both included, in one read. They must fit into memory.

        Raises:
            ValueError: first..last is not within 1..last_number, or is empty.
        """
        last_number = self.last_number
        if not 1 <= first <= last <= last_number:
            raise ValueError(f"rows {first}..{last} are not within 1..{last_number}")
        with self._ends_lock.read():
            before, start, end = self._ends[max(first - 2, 0)], self._ends[first - 1], self._ends[last]
        return self._read_checked(first, before, start, end)[start - before :]

    def read_after(self, after: int, max_bytes: int, max_rows: int = 0) -> bytes:
        """Return whole rows from after+1 on: as many as `max_bytes` hold, but at least one if there is one.

        `max_rows` bounds their number too; 0: it does not. Empty if `after` is the last number.

        Raises:
            ValueError: `after` is not within 0..last_number.
        """
        last_number = self.last_number
        if not 0 <= after <= last_number:
            raise ValueError(f"row {after} is not within 0..{last_number}")
        if after == last_number:
            return b""
        highest = min(last_number, after + max_rows) if max_rows else last_number
        with self._ends_lock.read():
            last = bisect_right(self._ends, self._ends[after] + max_bytes, after + 1, highest + 1) - 1
        return self.read(after + 1, max(last, after + 1))

    def row(self, number: int) -> Row:
        """Return one order, in one read.

        Raises:
            ValueError: the number is not within 1..last_number.
        """
        return parse_row(self.read(number, number))

    def chain_at(self, number: int) -> int:
        """Return the chain at a number: at 0 the cluster's seed.

        Raises:
            ValueError: the number is not within 0..last_number.
        """
        if number == 0:
            return self._seed
        last_number, last_chain = self._position
        return last_chain if number == last_number else self.row(number).chain

    def stalled_s(self) -> float:
        """Return for how many seconds the write and sync under way has lasted, 0.0 if there is none. Never waits."""
        return self._busy.stalled_s()

    def close(self) -> None:
        """Close the file. Nobody may be reading or appending, or do so afterwards."""
        self._files.close(self._descriptor)

    def _store(self, rows: bytes) -> None:
        # Read without its lock: only appends change it, and this is the one.
        took_s = self._file.append(rows, self._ends[-1])
        self.on_sync(took_s)
        if took_s > SLOW_S:
            log.warning("a write was slow", path=str(self.path), seconds=round(took_s, 2), bytes=len(rows))

    def _show(self, checked: CheckedRows) -> None:
        with self._ends_lock.write():
            self._ends.extend(checked.ends)
        self._position = Position(checked.last_number, checked.last_chain)

    def _read_checked(self, first: int, before: int, start: int, end: int) -> bytes:
        """Return the bytes before..end; the rows in start..end, from `first` on, continue the row at before..start."""
        self._refuse_if_damaged()
        try:
            data = self._files.pread(self._descriptor, end - before, before)
            if len(data) < end - before:
                raise BadRow(first, f"is not in the file, which ends at byte {before + len(data)}")
            prev_chain = self._seed
            if first > 1:
                prev_chain = end_chain(data[: start - before])
            check_unchanged(data[start - before :], first - 1, prev_chain)
        except (BadRow, ValueError, OSError) as error:
            self._damage = f"{self.path}: {NO_LONGER_GOOD}: {error}"
            self.on_damage(self._damage)
            log.critical("damaged", path=str(self.path), reason=str(error))
            self._found(self._damage)
            self._refuse_if_damaged()
        return data

    def _refuse_if_damaged(self) -> None:
        if self._damage:
            raise RpcFailure(self._reason, self._damage)
