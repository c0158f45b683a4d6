"""`catalog_database.csv`: the stocks as of one trade, always replaced as a whole.

A header, then a line a stock in name order: name,price,initial_quantity,quantity,last_trade. The trade that the file
is of is the highest `last_trade` in it.
"""

import re
import threading
from collections.abc import Callable, Iterable

import structlog

from backends.storage.csv.small_files import SmallFiles
from backends.storage.ports import StoreFull
from backends.storage.replay import checkpoint_number
from backends.storage.stocks import StockTable
from backends.storage.values import Stock
from common.bounds import HELD_STOCK_NAME, MAX_NUMBER, MAX_STOCK_QUANTITY, price_cents, price_text

log = structlog.get_logger()

DATABASE_NAME = "catalog_database.csv"
# A checkpoint is only compared at the next start; often enough to find a disagreement while it is young.
TRADES_PER_CHECKPOINT = 20_000
LOOK_INTERVAL_S = 1.0
# After a full disk: there is no hurry, the journal holds everything.
RETRY_INTERVAL_S = 30.0

_HEADER = "name,price,initial_quantity,quantity,last_trade"
_COUNT = r"(0|[1-9][0-9]{0,15})"
_LINE = re.compile(rf"({HELD_STOCK_NAME.pattern}),([0-9]{{1,10}}\.[0-9]{{2}}),{_COUNT},{_COUNT},{_COUNT}")


class MalformedCheckpoint(Exception):
    """The file is not what this catalog writes; the message names line and value."""


def render_checkpoint(stocks: Iterable[Stock]) -> bytes:
    """Return the file's content for these stocks."""
    lines = [_HEADER]
    for stock in sorted(stocks, key=lambda each: each.name):
        price = price_text(stock.price_cents)
        lines.append(f"{stock.name},{price},{stock.initial_quantity},{stock.quantity},{stock.last_trade}")
    return "".join(f"{line}\n" for line in lines).encode()


def parse_checkpoint(data: bytes) -> list[Stock]:
    """Return the stocks of a file's content.

    Raises:
        MalformedCheckpoint: a line is malformed or names a stock again, or the last line has no end.
    """
    header, *lines = data.decode("ascii", "backslashreplace").split("\n")
    if header != _HEADER:
        raise MalformedCheckpoint(f"line 1: {header[:80]!r} is not the header {_HEADER!r}")
    if not lines or lines.pop():
        raise MalformedCheckpoint(f"line {len(lines) + 2} has no end")
    stocks: dict[str, Stock] = {}
    for number, line in enumerate(lines, start=2):
        stock = _parse_line(line)
        if stock is None:
            raise MalformedCheckpoint(f"line {number} is malformed: {line[:120]!r}")
        if stock.name in stocks:
            raise MalformedCheckpoint(f"line {number} names stock {stock.name!r} again")
        stocks[stock.name] = stock
    return list(stocks.values())


class CheckpointFile:
    """The stocks of a table in `catalog_database.csv`. Any number of threads may use it; they take turns."""

    def __init__(
        self, small_files: SmallFiles, stocks: StockTable, *, look_interval_s: float = LOOK_INTERVAL_S
    ) -> None:
        """The file holds what `stocks` hold, or is of an older trade."""
        self._small_files = small_files
        self._stocks = stocks
        self._look_interval_s = look_interval_s
        self._turn = threading.Lock()
        self._number = checkpoint_number(stocks.snapshot())  # changed under _turn; read freely
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._write_when_due, name="checkpointer", daemon=True)

    @property
    def is_due(self) -> bool:
        """Whether enough trades were made since it was last written. Never waits."""
        return self._stocks.position.number - self._number >= TRADES_PER_CHECKPOINT

    def write(self) -> None:
        """Replace the file by the stocks as they are; trading goes on meanwhile. Raises StoreFull: the old stands."""
        with self._turn:
            self._replace(self._stocks.snapshot())

    def put(self, stock: Stock, show: Callable[[Stock], None]) -> None:
        """Change a stock's price, or add a stock: durable before it is visible, so that no price that was shown, or
        traded at, comes back as another. Nobody trades meanwhile.

        Raises:
            StoreFull: the old file stands, and nothing has changed.
        """
        with self._turn:
            self._replace([*(each for each in self._stocks.snapshot() if each.name != stock.name), stock])
            # Within the turn: a checkpoint between the two would write the stock as it was.
            show(stock)

    def start(self) -> None:
        """Write it when it is due, by a thread of its own: the order path never waits for one."""
        self._thread.start()

    def stop(self) -> None:
        """End that thread, after the checkpoint that is being written, if it was started."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _replace(self, stocks: list[Stock]) -> None:
        self._small_files.replace(DATABASE_NAME, render_checkpoint(stocks))
        self._number = checkpoint_number(stocks)

    def _write_when_due(self) -> None:
        wait_s = self._look_interval_s
        while not self._stopped.wait(wait_s):
            wait_s = self._look_interval_s
            if not self.is_due:
                continue
            try:
                self.write()
            except StoreFull as error:
                log.warning("no checkpoint now", reason=str(error))
                wait_s = RETRY_INTERVAL_S


def _parse_line(line: str) -> Stock | None:
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    name, price, initial_quantity, quantity, last_trade = match.groups()
    try:
        cents = price_cents(price)
    except ValueError:
        return None
    if max(int(initial_quantity), int(quantity)) > MAX_STOCK_QUANTITY or int(last_trade) > MAX_NUMBER:
        return None
    return Stock(name, cents, int(initial_quantity), int(quantity), int(last_trade))
