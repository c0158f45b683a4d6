"""A ledger that one process holds in memory, over a journal of rows and a notebook that last."""

import threading
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import structlog

from backends.storage.known_keys import KnownKeys
from backends.storage.ports import BatchRule, OrderLog, StoreFull
from backends.storage.stocks import StockTable
from backends.storage.values import (
    NO_EPOCH,
    SHUT,
    Answer,
    Begun,
    Changes,
    Epoch,
    Gate,
    KeyFound,
    LedgerHealth,
    LedgerState,
    Stock,
    StockPage,
    Trades,
    TradesPage,
)
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.process.failpoints import failpoint

log = structlog.get_logger()


class Notebook(Protocol):
    """What a ledger must not forget besides its rows. Changed by one thread at a time, `write_stocks` apart.

    Attributes:
        repair: what an operator does about a ledger that has halted, in words.
    """

    repair: str

    @property
    def recent(self) -> Sequence[Epoch]:
        """The newest leaderships, at least 1000 if there were so many, oldest first. Any thread may look."""

    def add_epoch(self, epoch: Epoch) -> None:
        """Add a leadership, durably, and then to `recent`. Raises StoreFull: nothing changed."""

    def put_stock(self, stock: Stock, show: Callable[[Stock], None]) -> None:
        """Record a stock, durably, and then `show` it. Raises StoreFull: nothing changed, nothing is shown."""

    def note_halted(self, why: str) -> None:
        """Record, durably, that nothing may be decided until it is repaired. Raises StoreFull."""

    def start(self) -> None:
        """Begin what it does beside the calls, until `close`."""

    def stalled_s(self) -> float:
        """Return the age in seconds of the oldest write under way, 0.0 if there is none."""

    def close(self) -> None:
        """Keep what helps the next start, and give the files up."""


class HeldLedger:
    """Implements ports.Ledger, where its contracts are, for one process.

    Nothing is visible before the journal or the notebook has it.

    The gate is in memory only. After a restart nothing tells whether the last batch before it was answered, so no
    earlier epoch may go on: its leader begins a new one, and reads what was decided.
    """

    # Lock order: _writer, then the locks of the notebook, then those inside StockTable and its ChangeFeed.

    def __init__(
        self, journal: OrderLog, notebook: Notebook, stocks: StockTable, keys: KnownKeys, last_created_at: str
    ) -> None:
        """`stocks` and `keys` are as of the journal's last row, made at `last_created_at` ("" if there is none)."""
        self._journal = journal
        self._notebook = notebook
        self._stocks = stocks
        self._keys = keys  # read freely
        self._writer = threading.Lock()  # held through the rule and the sync of what it decides
        # Guarded by _writer; _halted and _is_closed are read freely.
        self._gate = SHUT
        self._last_created_at = last_created_at
        self._halted = ""  # by whoever finds the journal damaged, too
        self._is_closed = False
        journal.on_damage = self._note_damage
        assert stocks.position == journal.position, (stocks.position, journal.position)

    @property
    def place(self) -> str:
        return self._journal.place

    @property
    def cluster_id(self) -> str:
        return self._journal.cluster_id

    @property
    def on_sync(self) -> Callable[[float], None]:
        return self._journal.on_sync

    @on_sync.setter
    def on_sync(self, told: Callable[[float], None]) -> None:
        self._journal.on_sync = told

    def health(self) -> LedgerHealth:
        stalled_s = max(self._journal.stalled_s(), self._notebook.stalled_s())
        return LedgerHealth(self._newest_epoch, self._stocks.position, self._halted, stalled_s, self._journal.findings)

    def start(self) -> None:
        self._notebook.start()

    # -- Changes: one at a time ----------------------------------------------------------------------------------------

    def decide(self, rule: BatchRule) -> Answer:
        with self._writer:
            self._check_open()
            state = self._state()
            decision = rule(state)
            try:
                if decision.trades is not None:
                    self._journal.append(decision.trades.rows)
            except StoreFull:
                # Decided anew on the stocks as they are: no refusal may rest on a trade that was not made.
                decision = rule(state.when_full())
                assert decision.trades is None or not decision.trades.rows, decision
            if decision.trades is not None:
                self._apply(decision.trades)
            if decision.batch_seq:
                self._gate = Gate(self._gate.epoch, decision.batch_seq, decision.answer)
                failpoint("catalog-answering")
        return decision.answer

    def begin_epoch(self, leader_id: int, time: str, rule: Callable[[LedgerState], str | None]) -> Begun:
        with self._writer:
            self._check_open()
            lost = rule(self._state())
            if lost is not None:
                raise self._halt(lost)
            epoch = Epoch(self._newest_epoch.epoch + 1, leader_id, time)
            self._notebook.add_epoch(epoch)
            self._gate = Gate(epoch.epoch, 0, None)
            return Begun(epoch, self._stocks.position)

    def put_stock(self, name: str, rule: Callable[[Stock | None], Stock]) -> tuple[Stock, bool]:
        with self._writer:
            self._check_open()
            known = self._stocks.for_writer().get(name)
            stock = rule(known)
            if stock != known:
                self._notebook.put_stock(stock, self._stocks.put)
        return stock, known is None

    def close(self) -> None:
        with self._writer:
            if not self._is_closed:
                self._is_closed = True
                self._notebook.close()
                self._journal.close()

    @property
    def _newest_epoch(self) -> Epoch:
        recent = self._notebook.recent
        return recent[-1] if recent else NO_EPOCH

    def _note_damage(self, damage: str) -> None:
        self._halted = self._halted or f"{damage}; to repair, {self._notebook.repair}"

    def _check_open(self) -> None:
        if self._halted:
            raise RpcFailure(Reason.HALTED, self._halted)
        if self._is_closed:
            raise RpcFailure(Reason.SHUTTING_DOWN, "the catalog is stopping")

    def _state(self) -> LedgerState:
        return LedgerState(
            newest=self._newest_epoch,
            gate=self._gate,
            position=self._stocks.position,
            created_at=self._last_created_at,
            stocks=self._stocks.for_writer(),
            number_of=self._keys.number,
            chain_at=self._journal.chain_at,
        )

    def _apply(self, trades: Trades) -> None:
        if not trades.keys:
            return
        for key, number in trades.keys.items():
            self._keys.add(key, number)
        self._last_created_at = trades.created_at
        self._stocks.apply(trades.levels, trades.position)

    def _halt(self, why: str) -> RpcFailure:
        """Decide nothing more, now and after a restart, until it is repaired; return the refusal."""
        self._halted = f"{why}; to repair, {self._notebook.repair}"
        log.critical("halted", reason=self._halted)
        try:
            self._notebook.note_halted(why)  # the next start's refusal names the repair itself
        except StoreFull:
            # Halted in memory all the same; after a restart the replica's log proves it again.
            log.error("the disk is full: the marker that keeps the catalog halted after a restart is not written")
        return RpcFailure(Reason.HALTED, self._halted)

    # -- Reads: they never wait for a change ----------------------------------------------------------------

    def stock(self, name: str) -> Stock | None:
        self._check_open()
        return self._stocks.find(name)

    def stocks_named(self, names: Collection[str]) -> StockPage:
        self._check_open()
        return self._stocks.named(names)

    def stocks_after(self, name: str, limit: int) -> StockPage:
        self._check_open()
        return self._stocks.page(name, limit)

    def find_key(self, key: bytes) -> KeyFound:
        self._check_open()
        # Read before the keys: those of all trades up to this number are among them.
        last_number = self._stocks.position.number
        number, known_from = self._keys.find(key)
        return KeyFound(number or 0, max(known_from, 1), max(last_number, number or 0))

    def trades_after(self, after: int, max_bytes: int, max_rows: int = 0) -> TradesPage:
        self._check_open()
        # Not the journal's own position: rows are shown together with what they do to the stocks, or a reader of both
        # would see an order whose shares are not taken yet.
        last_number = self._stocks.position.number
        if after > last_number:
            return TradesPage(None, b"", last_number)
        count = min(last_number - after, max_rows or last_number)
        rows = self._journal.read_after(after, max_bytes, count) if count else b""
        return TradesPage(self._journal.chain_at(after), rows, last_number)

    def epochs(self, limit: int) -> Sequence[Epoch]:
        return self._notebook.recent[-limit:]

    def changes_since(self, cursor: str) -> Changes:
        self._check_open()
        return self._stocks.changes.since(cursor)

    def wait_for_change(self, cursor: str, timeout_s: float) -> None:
        self._check_open()
        self._stocks.changes.wait_for_news(cursor, timeout_s)
