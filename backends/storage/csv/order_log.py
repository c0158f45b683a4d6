"""A replica's log, or the catalog's journal, as a file in a directory of its own."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from backends.storage.csv.data_directory import DataDirectory
from backends.storage.csv.log import Log
from backends.storage.csv.log_opening import Found
from backends.storage.csv.query import query_log
from backends.storage.values import Position, RowPage, RowQuery
from common.process.exit_now import exit_process
from common.rows import Row

ORDER_LOG_NAME = "order_database.csv"
NO_POSITION = Position(0, 0)


class CsvOrderLog:
    """Implements ports.OrderLog, where its contracts are. A new directory has no file until it belongs to a cluster."""

    def __init__(
        self,
        directory: DataDirectory,
        open_log: Callable[[str, Found], Log],
        die: Callable[[str], NoReturn] = exit_process,
        name: str = ORDER_LOG_NAME,
    ) -> None:
        """`open_log` opens the file, checked and mended, for a cluster id; it tells what it found wrong. `name`
        is the file's.

        `die` ends the process at once: called when it is not known what of the directory's identity is durable.
        """
        self._directory = directory
        self._open_log = open_log
        self._name = name
        self._die = die
        self._log: Log | None = None
        self.on_sync: Callable[[float], None] = lambda _seconds: None
        self.on_damage: Callable[[str], None] = lambda _damage: None
        if directory.damage:
            directory.findings.note(directory.damage)

    @property
    def path(self) -> Path:
        """The directory."""
        return self._directory.path

    @property
    def place(self) -> str:
        return str(self._directory.path)

    @property
    def cluster_id(self) -> str:
        return self._directory.cluster_id or ""

    @property
    def is_open(self) -> bool:
        return self._log is not None

    @property
    def findings(self) -> Sequence[str]:
        return self._directory.findings.all()

    @property
    def position(self) -> Position:
        return self._log.position if self._log is not None else NO_POSITION

    def adopt(self, cluster_id: str) -> None:
        try:
            self._directory.adopt(cluster_id, self._name)
            if self._log is None:
                if not self._directory.has(self._name):
                    self._directory.findings.note(f"{self._name} was missing: an empty one was made")
                self._log = self._open_log(cluster_id, self._directory.findings.note)
                self._log.on_sync = lambda seconds: self.on_sync(seconds)
                self._log.on_damage = lambda damage: self.on_damage(damage)
        except OSError as error:
            self._die(f"{self._directory.path}: {error}: this process ends without an answer")

    def append(self, rows: bytes) -> None:
        self._opened.append(rows)

    def read(self, first: int, last: int) -> bytes:
        return self._opened.read(first, last)

    def read_after(self, after: int, max_bytes: int, max_rows: int = 0) -> bytes:
        return self._opened.read_after(after, max_bytes, max_rows)

    def row(self, number: int) -> Row:
        return self._opened.row(number)

    def chain_at(self, number: int) -> int:
        return self._opened.chain_at(number)

    def query(self, query: RowQuery) -> RowPage:
        return query_log(self._opened, query)

    def stalled_s(self) -> float:
        return self._log.stalled_s() if self._log is not None else 0.0

    def close(self) -> None:
        log, self._log = self._log, None
        if log is not None:
            log.close()
        self._directory.close()

    @property
    def _opened(self) -> Log:
        log = self._log
        if log is None:
            raise RuntimeError(f"{self._directory.path} holds no rows yet: it belongs to no cluster")
        return log
