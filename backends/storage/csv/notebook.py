"""What the catalog keeps in files besides its journal: the leaderships, the stocks at a checkpoint, that it halted."""

from collections.abc import Callable, Sequence

import structlog

from backends.storage.csv.checkpoint import CheckpointFile
from backends.storage.csv.epochs import EpochsFile
from backends.storage.csv.small_files import SmallFiles
from backends.storage.ports import StoreFull
from backends.storage.values import Epoch, Stock

log = structlog.get_logger()

# Why the catalog may not trade, until a rebuild removes it.
MARKER_NAME = "catalog_rolled_back.txt"
REBUILD_COMMAND = "python -m backends.catalog.rebuild"


class CsvNotebook:
    """Implements held_ledger.Notebook. In `catalog_epochs.csv`, `catalog_database.csv` and `catalog_rolled_back.txt`.

    Attributes:
        checkpoint: the file of the stocks.
    """

    repair = f"stop all processes and run: {REBUILD_COMMAND}"

    def __init__(self, small_files: SmallFiles, epochs: EpochsFile, checkpoint: CheckpointFile) -> None:
        """All of them are of one directory."""
        self.checkpoint = checkpoint
        self._small_files = small_files
        self._epochs = epochs

    @property
    def recent(self) -> Sequence[Epoch]:
        return self._epochs.recent

    def add_epoch(self, epoch: Epoch) -> None:
        self._epochs.append(epoch)

    def put_stock(self, stock: Stock, show: Callable[[Stock], None]) -> None:
        self.checkpoint.put(stock, show)

    def note_halted(self, why: str) -> None:
        write_marker(self._small_files, why)

    def start(self) -> None:
        """See Notebook: the checkpoint is written anew, and follows the trades from then on."""
        # At every start: after a failed sync the one that was read may not be on stable storage.
        self._write_checkpoint("no checkpoint at the start")
        self.checkpoint.start()

    def stalled_s(self) -> float:
        return self._small_files.busy.stalled_s()

    def close(self) -> None:
        """See Notebook: the next start replays all the less."""
        self.checkpoint.stop()
        self._write_checkpoint("no checkpoint at the end; the next start replays more")
        self._epochs.close()

    def _write_checkpoint(self, otherwise: str) -> None:
        try:
            self.checkpoint.write()
        except StoreFull as error:
            log.warning(otherwise, reason=str(error))


def read_marker(small_files: SmallFiles) -> str | None:
    """Return why the catalog may not trade, None if there is no marker.

    Raises:
        OSError: the marker is there and cannot be read.
    """
    if not small_files.exists(MARKER_NAME):
        return None
    text = small_files.read(MARKER_NAME).decode("utf-8", "backslashreplace").replace("\0", " ")
    return " ".join(text.split()) or "no reason is recorded"


def write_marker(small_files: SmallFiles, reason: str) -> None:
    """Record durably why the catalog may not trade.

    Raises:
        DiskFull: there is no space for it.
    """
    small_files.replace(MARKER_NAME, f"{reason}\n".encode())
