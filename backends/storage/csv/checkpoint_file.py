"""The checkpoint of a catalog that runs: when it is written, and in which order with a change of a price."""

import threading

from backends.failures import Exhausted
from backends.storage.csv.checkpoint import DATABASE_NAME, checkpoint_number, render_checkpoint
from backends.storage.csv.files import DiskFull
from backends.storage.csv.small_files import SmallFiles
from backends.storage.model import Stock
from backends.storage.stocks import StockTable

# A checkpoint is only compared at the next start; often enough to find a disagreement while it is young.
TRADES_PER_CHECKPOINT = 20_000


class CheckpointFile:
    """Writes the stocks of a table into `catalog_database.csv`. Any number of threads may use it; they take turns."""

    def __init__(self, small_files: SmallFiles, stocks: StockTable) -> None:
        """The file holds what `stocks` hold, or is of an older trade."""
        self._small_files = small_files
        self._stocks = stocks
        self._turn = threading.Lock()
        self._number = checkpoint_number(stocks.snapshot())  # changed under _turn; read freely

    @property
    def is_due(self) -> bool:
        """Whether enough trades were made since it was last written. Never waits."""
        return self._stocks.position[0] - self._number >= TRADES_PER_CHECKPOINT

    def write(self) -> None:
        """Replace the file by the stocks as they are. Trading goes on meanwhile. Raises Exhausted as `put`."""
        with self._turn:
            self._replace(self._stocks.snapshot())

    def put(self, stock: Stock) -> None:
        """Change a stock's price, or add a stock: durable before it is visible, so that no price that was shown, or
        traded at, comes back as another. Nobody trades meanwhile.

        Raises:
            Exhausted: DISK_FULL; the old file stands, and nothing has changed.
        """
        with self._turn:
            self._replace([*(each for each in self._stocks.snapshot() if each.name != stock.name), stock])
            # Within the turn: a checkpoint between the two would write the stock as it was.
            self._stocks.put(stock)

    def _replace(self, stocks: list[Stock]) -> None:
        try:
            self._small_files.replace(DATABASE_NAME, render_checkpoint(stocks))
        except DiskFull as error:
            raise Exhausted("the catalog's disk is full", reason="DISK_FULL") from error
        self._number = checkpoint_number(stocks)
