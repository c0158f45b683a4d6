"""An engine that keeps everything in memory: the twin of the real ones, for tests and simulations of what lies above.

`MemoryStore` stands for the disk: it outlasts the log or ledger that has it open, but not the process.
"""

from collections.abc import Callable, Sequence

from backends.storage.changes import ChangeFeed
from backends.storage.held_ledger import HeldLedger
from backends.storage.ports import StartRefused, StoreFull
from backends.storage.replay import Replay
from backends.storage.stocks import StockTable
from backends.storage.values import Epoch, Position, RowPage, RowQuery, Stock
from common.row_checks import check_rows
from common.rows import Row, chain_seed, parse_row

MAX_SCANNED_ROWS = 20_000


class MemoryStore:
    """What lasts.

    Attributes:
        lines: the rows, each with its line end.
        epochs: the leaderships, oldest first.
        stocks: by name, with their prices and first quantities; what trades made of them follows from the rows.
        halted: why nothing may be decided; "" if it may.
        has_room: whether anything more fits.
    """

    def __init__(self, place: str = "memory") -> None:
        """A new one belongs to no cluster."""
        self.place = place
        self.cluster_id = ""
        self.lines: list[bytes] = []
        self.epochs: list[Epoch] = []
        self.stocks: dict[str, Stock] = {}
        self.halted = ""
        self.has_room = True
        self._is_held = False

    def hold(self) -> None:
        """Have it open. Raises StartRefused: somebody else has."""
        if self._is_held:
            raise StartRefused(f"{self.place} is in use")
        self._is_held = True

    def release(self) -> None:
        """Let others open it: also what the end of a process does."""
        self._is_held = False

    def check_room(self) -> None:
        """Raise StoreFull if nothing more fits."""
        if not self.has_room:
            raise StoreFull(f"{self.place} is full")


class MemoryLog:
    """Implements ports.OrderLog. Readers and the appender share a list, which the interpreter changes in one step."""

    def __init__(self, store: MemoryStore) -> None:
        """Raises StartRefused: it is in use."""
        store.hold()
        self.on_sync: Callable[[float], None] = lambda _seconds: None
        self.on_damage: Callable[[str], None] = lambda _damage: None
        self._store = store
        self._is_open = self._is_closed = False
        self._position = Position(0, 0)  # replaced as a whole, after the rows are there

    @property
    def place(self) -> str:
        return self._store.place

    @property
    def cluster_id(self) -> str:
        return self._store.cluster_id

    @property
    def is_open(self) -> bool:
        return self._is_open

    @property
    def findings(self) -> Sequence[str]:
        return ()

    @property
    def position(self) -> Position:
        return self._position

    def adopt(self, cluster_id: str) -> None:
        store = self._store
        if store.cluster_id not in ("", cluster_id):
            raise StartRefused(f"{store.place} belongs to cluster {store.cluster_id}, not to cluster {cluster_id}")
        if not self._is_open:
            store.cluster_id = cluster_id
            rows = check_rows(b"".join(store.lines), 0, chain_seed(cluster_id))
            self._position = Position(rows.last_number, rows.last_chain)
            self._is_open = True

    def append(self, rows: bytes) -> None:
        checked = check_rows(rows, *self._position)
        if checked.count:
            self._store.check_room()
            self._store.lines[self._position.number :] = rows.splitlines(keepends=True)
            self.on_sync(0.0)
            self._position = Position(checked.last_number, checked.last_chain)

    def read(self, first: int, last: int) -> bytes:
        if not 1 <= first <= last <= self._position.number:
            raise ValueError(f"rows {first}..{last} are not within 1..{self._position.number}")
        return b"".join(self._store.lines[first - 1 : last])

    def read_after(self, after: int, max_bytes: int, max_rows: int = 0) -> bytes:
        last_number = self._position.number
        if not 0 <= after <= last_number:
            raise ValueError(f"row {after} is not within 0..{last_number}")
        page = b""
        for line in self._store.lines[after : min(last_number, after + max_rows) if max_rows else last_number]:
            if page and len(page) + len(line) > max_bytes:
                break
            page += line
        return page

    def row(self, number: int) -> Row:
        return parse_row(self.read(number, number))

    def chain_at(self, number: int) -> int:
        return self.row(number).chain if number else chain_seed(self.cluster_id)

    def query(self, query: RowQuery) -> RowPage:
        last_number = self._position.number
        numbers = range(query.after_number + 1, min(last_number, (query.before_number or last_number + 1) - 1) + 1)
        found: list[Row] = []
        for scanned, number in enumerate(reversed(numbers) if query.descending else numbers):
            if scanned == MAX_SCANNED_ROWS:
                return RowPage(found, last_number, number + 1 if query.descending else number - 1)
            row = self.row(number)
            if not _matches(row, query):
                continue
            if len(found) == query.limit:
                return RowPage(found, last_number, found[-1].transaction_number)
            found.append(row)
        return RowPage(found, last_number, 0)

    def stalled_s(self) -> float:
        return 0.0

    def close(self) -> None:
        self._is_open = False
        if not self._is_closed:
            self._is_closed = True
            self._store.release()


class MemoryNotebook:
    """Implements held_ledger.Notebook."""

    repair = "begin a new store"

    def __init__(self, store: MemoryStore) -> None:
        """The store is held by the journal."""
        self._store = store

    @property
    def recent(self) -> Sequence[Epoch]:
        return self._store.epochs

    def add_epoch(self, epoch: Epoch) -> None:
        self._store.check_room()
        self._store.epochs.append(epoch)

    def put_stock(self, stock: Stock, show: Callable[[Stock], None]) -> None:
        self._store.check_room()
        self._store.stocks[stock.name] = Stock.new(stock.name, stock.price_cents, stock.initial_quantity)
        show(stock)

    def note_halted(self, why: str) -> None:
        self._store.halted = why

    def start(self) -> None:
        pass

    def stalled_s(self) -> float:
        return 0.0

    def close(self) -> None:
        pass


def open_memory_ledger(
    store: MemoryStore, new_stocks: Callable[[], Sequence[Stock]], *, run_id: str, new_cluster_id: Callable[[], str]
) -> HeldLedger:
    """Open a ledger; a new store begins with `new_stocks()`. `run_id` differs from that of every earlier run.

    Raises:
        StartRefused: it is in use, or has halted.
    """
    journal = MemoryLog(store)
    if store.halted:
        store.release()
        raise StartRefused(f"{store.place} cannot be used: {store.halted}")
    if not store.cluster_id:
        store.stocks = {stock.name: stock for stock in new_stocks()}
    journal.adopt(store.cluster_id or new_cluster_id())
    replay = Replay(store.stocks.values())
    if store.lines:
        replay.visit(b"".join(store.lines), 1)
    stocks = StockTable(replay.stocks.values(), journal.position, ChangeFeed(run_id))
    return HeldLedger(journal, MemoryNotebook(store), stocks, replay.keys, replay.last_created_at)


def _matches(row: Row, query: RowQuery) -> bool:
    return (
        (not query.stock_names or row.stock_name in query.stock_names)
        and query.order_type in ("", row.order_type)
        and query.account in (None, row.account)
        and query.idempotency_key in ("", row.idempotency_key)
        and (not query.after_time or row.created_at > query.after_time)
        and (not query.until_time or row.created_at < query.until_time)
    )
