"""`catalog_database.csv`: the stocks as of one trade, always replaced as a whole.

A header, then a line a stock in name order: name,price,initial_quantity,quantity,last_trade. The trade that the file
is of is the highest `last_trade` in it.
"""

import re
import threading
import time
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
# Without a trade between two looks the file is written: it is right two looks after the last trade, and nobody trades
# who would wait for the disk beside it.
LOOK_INTERVAL_S = 0.5
# Where trades never pause it is written this often: its two syncs are then too few to be seen in the speed of orders.
LONGEST_AGE_S = 5.0
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
        self, small_files: SmallFiles, stocks: StockTable, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """The file holds what `stocks` hold, or is of an older trade."""
        self._small_files = small_files
        self._stocks = stocks
        self._monotonic = monotonic
        self._turn = threading.Lock()
        self._number = checkpoint_number(stocks.snapshot())  # changed under _turn, as _written_at; read freely
        self._written_at = monotonic()
        self._seen_number = self._number  # used by one thread
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep_looking, name="checkpointer", daemon=True)

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
        """Look for trades from now on, in a thread of its own: the order path never waits for a checkpoint."""
        self._thread.start()

    def stop(self) -> None:
        """End that thread, after the checkpoint that is being written, if it was started."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Write the file if it lacks trades, and either none came since the last look or it is as old as it may get.

        One thread alone may look. Raises StoreFull: the old file stands.
        """
        number, seen = self._stocks.position.number, self._seen_number
        self._seen_number = number
        if number == self._number:
            return
        if number == seen or self._monotonic() - self._written_at >= LONGEST_AGE_S:
            self.write()

    def _replace(self, stocks: list[Stock]) -> None:
        self._small_files.replace(DATABASE_NAME, render_checkpoint(stocks))
        self._number = checkpoint_number(stocks)
        self._written_at = self._monotonic()

    def _keep_looking(self) -> None:
        wait_s = LOOK_INTERVAL_S
        while not self._stopped.wait(wait_s):
            wait_s = LOOK_INTERVAL_S
            try:
                self.look()
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
