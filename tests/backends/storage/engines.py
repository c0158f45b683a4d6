"""The storage engines under test. A further engine is one more class here: test_conformance.py does the rest."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Protocol

from backends.storage.csv.data_directory import DataDirectory
from backends.storage.csv.ledger import open_ledger
from backends.storage.csv.order_log import ORDER_LOG_NAME, CsvOrderLog
from backends.storage.csv.small_files import SmallFiles
from backends.storage.engines import open_csv_log
from backends.storage.held_ledger import HeldLedger
from backends.storage.memory import MemoryLog, MemoryStore, open_memory_ledger
from backends.storage.ports import Ledger, OrderLog
from backends.storage.values import Stock
from tests.backends.storage.csv.log_files import FaultyFiles, die
from tests.simulation.disk import Disk
from tests.simulation.files import DiskFaults, SimulatedFiles

CLUSTER = "conformance"
STOCKS = (Stock.new("ACME", 4135, 100), Stock.new("Blue.Finch", 1, 0), Stock.new("T", 10**11, 10**15))


class Engine(Protocol):
    """One store of one engine: of a replica's log, or of a ledger."""

    def open_log(self) -> OrderLog:
        """Open the log that is kept here, or a new one."""

    def open_ledger(self, stocks: Sequence[Stock] = STOCKS) -> Ledger:
        """Open the ledger that is kept here, or a new one of cluster CLUSTER with these stocks."""

    def cut_power(self) -> None:
        """End whoever has it open, with all that is not on stable storage."""

    def fill(self) -> None:
        """From now on nothing more fits."""

    def make_room(self) -> None:
        """From now on everything fits."""


class MemoryEngine:
    """The twin in memory."""

    def __init__(self, _path: Path) -> None:
        self.store = MemoryStore()
        self._runs = 0

    def open_log(self) -> MemoryLog:
        return MemoryLog(self.store)

    def open_ledger(self, stocks: Sequence[Stock] = STOCKS) -> HeldLedger:
        self._runs += 1
        return open_memory_ledger(self.store, lambda: stocks, run_id=f"run{self._runs}", new_cluster_id=lambda: CLUSTER)

    def cut_power(self) -> None:
        self.store.release()

    def fill(self) -> None:
        self.store.has_room = False

    def make_room(self) -> None:
        self.store.has_room = True


class CsvEngine:
    """Real files. A power cut is the end of the process: what the system was given is kept."""

    def __init__(self, path: Path) -> None:
        self._path = path / "store"
        self._runs = 0
        self.files = FaultyFiles()
        self._directory: DataDirectory | None = None

    def open_log(self) -> CsvOrderLog:
        self._directory = DataDirectory.open(self._path, "order", 1, self.files)
        return CsvOrderLog(self._directory, open_csv_log(self._path / ORDER_LOG_NAME, self.files), die)

    def open_ledger(self, stocks: Sequence[Stock] = STOCKS) -> HeldLedger:
        self._runs += 1
        self._directory = DataDirectory.open(self._path, "catalog", files=self.files)
        try:
            return open_ledger(
                self._directory,
                lambda: list(stocks),
                SmallFiles(self._path, self.files, die),
                run_id=f"run{self._runs}",
                new_cluster_id=lambda: CLUSTER,
            )
        except BaseException:
            self._directory.close()
            raise

    def cut_power(self) -> None:
        if self._directory is not None:
            self._directory.close()

    def fill(self) -> None:
        self.files.room = 0

    def make_room(self) -> None:
        self.files.room = None


class PowerCutCsvEngine(CsvEngine):
    """Files on a simulated disk: a power cut takes all that was not synced."""

    def __init__(self, _path: Path) -> None:
        super().__init__(Path("/bourse"))
        self._disk = Disk()
        self._faults = DiskFaults()
        self._random = Random(0)
        self._begin()

    def cut_power(self) -> None:
        self._simulated.end()
        self._disk.cut_power(self._path, "nothing", self._random)
        self._begin()

    def fill(self) -> None:
        self._faults.room = 0

    def make_room(self) -> None:
        self._faults.room = None

    def _begin(self) -> None:
        self._simulated = SimulatedFiles(self._disk, self._faults, self._random, lambda _seconds: None)
        self.files = self._simulated  # type: ignore[assignment]


ENGINES = (MemoryEngine, CsvEngine, PowerCutCsvEngine)
