"""What the backends need of a store, whatever engine keeps it: the contracts of a replica's log and of the ledger.

An engine passes tests/backends/storage/test_conformance.py. Which one is used is said in engines.py.

Three words in all contracts. *Durable*: it survives the end of the process and a power cut at any moment. *Visible*:
any reader may see it; nothing is visible before it is durable. *Refused*: nothing has changed. An engine that can't
tell whether something is durable must not answer: it ends the process, or says that the outcome is unknown.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from backends.storage.values import (
    Answer,
    Begun,
    Changes,
    Decision,
    Epoch,
    KeyFound,
    LedgerHealth,
    LedgerState,
    Position,
    RowPage,
    RowQuery,
    Stock,
    StockPage,
    TradesPage,
)
from common.rows import Row


class StartRefused(Exception):
    """The process cannot start; the message is one line that tells the operator why."""


class StoreFull(Exception):
    """There is no room for it in the store; nothing has changed, and a later try may succeed."""


# -- A replica's rows --------------------------------------------------------------------------------------------------


class Identity(Protocol):
    """Whose a store is. While it is open no other process can open it for the same role and replica."""

    @property
    def place(self) -> str:
        """Where an operator finds the store: for messages."""

    @property
    def cluster_id(self) -> str:
        """The cluster that it belongs to; "" before it has met one."""


class OrderLog(Identity, Protocol):
    """The rows 1..n of one history. Any number of threads may read while one appends.

    A store that has met no cluster yet holds no rows: of it only `cluster_id`, `place`, `position`, `stalled_s`,
    `adopt`, `findings` and `close` may be called. What is read is checked. Rows that are no longer what they were are
    never shown: whatever reads or appends then raises RpcFailure, for as long as the store is open: DAMAGED if opening
    it anew mends it, else HALTED.

    Attributes:
        on_sync: told, by the thread that appends, how many seconds each durable write took; before it is visible.
        on_damage: told, by whichever thread finds it and perhaps twice, what is wrong with the rows, in words; before
            anybody is answered. It must not wait.
    """

    on_sync: Callable[[float], None]
    on_damage: Callable[[str], None]

    @property
    def is_open(self) -> bool:
        """Whether its rows can be read: it belongs to a cluster, and was opened by `adopt`."""

    @property
    def findings(self) -> Sequence[str]:
        """What this run and earlier ones found wrong with the store and mended, until an operator has seen it."""

    @property
    def position(self) -> Position:
        """The last number and the chain at it, of one moment; (0, 0) before it is open. Never waits."""

    def adopt(self, cluster_id: str) -> None:
        """Make a new store this cluster's, durably, and open its rows: checked, mended, durable.

        Nothing happens if it is open and of this cluster already. One thread at a time.

        Raises:
            StartRefused: it is another cluster's, cannot be opened, or there is no room; nothing changed.
        """

    def append(self, rows: bytes) -> None:
        """Append whole rows that continue `position`: durable, and then visible, all of them or none.

        One thread at a time. No rows: nothing happens.

        Raises:
            BadRow: they do not continue it; nothing changed.
            StoreFull: nothing changed.
        """

    def read(self, first: int, last: int) -> bytes:
        """Return the bytes of the rows first..last, both included. They must fit into memory.

        Raises:
            ValueError: first..last is not within 1..last number, or is empty.
        """

    def read_after(self, after: int, max_bytes: int, max_rows: int = 0) -> bytes:
        """Return whole rows from after+1 on: as many as `max_bytes` hold, but at least one if there is one.

        `max_rows` bounds their number too; 0: it does not. Empty if `after` is the last number.

        Raises:
            ValueError: `after` is not within 0..last number.
        """

    def row(self, number: int) -> Row:
        """Return one row.

        Raises:
            ValueError: the number is not within 1..last number.
        """

    def chain_at(self, number: int) -> int:
        """Return the chain at a number: at 0 the cluster's seed.

        Raises:
            ValueError: the number is not within 0..last number.
        """

    def query(self, query: RowQuery) -> RowPage:
        """Return the rows that match, at most `query.limit`.

        One call looks at a bounded number of rows: a page may hold fewer than the limit, none even, and still have a
        next one.
        """

    def stalled_s(self) -> float:
        """Return the age in seconds of the oldest durable write under way, 0.0 if there is none. Never waits."""

    def close(self) -> None:
        """Give the store up. Nobody may be using it, or do so afterwards. Closing twice does nothing."""


# -- The catalog's truth -----------------------------------------------------------------------------------------------


class BatchRule(Protocol):
    """Decides one batch."""

    @property
    def names(self) -> Collection[str]:
        """The stocks that it looks at: of no others need a state know."""

    @property
    def keys(self) -> Collection[bytes]:
        """The keys that it looks at (`key_of`)."""

    def __call__(self, state: LedgerState) -> Decision:
        """Return what becomes of the batch. What it raises is the answer, and nothing is stored."""


class Ledger(Identity, Protocol):
    """The stocks, the journal that decides every trade, and the epoch that may trade: one truth.

    Any number of threads may call anything. `decide`, `begin_epoch` and `put_stock` take turns, and are atomic: their
    rule sees a state that nobody changes meanwhile, and what it returns becomes durable and then visible as a whole.
    A rule does nothing but decide: it may be asked more than once, and only its last word counts. What it raises is
    raised, and nothing has changed. The others never wait for a turn.

    All but `health`, `epochs` and `close` raise RpcFailure: HALTED when it has halted, and SHUTTING_DOWN when it is
    closed.

    Attributes:
        on_sync: told how many seconds each durable write of rows took, before they are visible.
    """

    on_sync: Callable[[float], None]

    def health(self) -> LedgerHealth:
        """Say how it is, also when it has halted or is closed. Never waits for a turn."""

    def start(self) -> None:
        """Begin what it does beside the calls, in threads of its own, until `close`. Once, before the first call."""

    def decide(self, rule: BatchRule) -> Answer:
        """Take a batch: ask `rule`, make rows, stocks, keys and the stored answer durable together, return the answer.

        If there is no room for the rows, the rule is asked again with `is_full`: its trades must then have none.
        """

    def begin_epoch(self, leader_id: int, time: str, rule: Callable[[LedgerState], str | None]) -> Begun:
        """Begin the next epoch, durably: from now on it alone may trade, from its first batch on.

        `rule` returns None, or why this ledger has lost history: then it halts, durably, and nothing begins.

        Raises:
            RpcFailure: HALTED: the rule gave a reason. StoreFull.
        """

    def put_stock(self, name: str, rule: Callable[[Stock | None], Stock]) -> tuple[Stock, bool]:
        """Put a stock in the place of the one of its name, which `rule` gets (None: there is none). It is watched, too.

        Returns the stock, and whether it is new.

        Raises:
            StoreFull: nothing changed.
        """

    def stock(self, name: str) -> Stock | None:
        """Return a copy of a stock, as of the last visible trade; None if there is none of this name."""

    def stocks_named(self, names: Collection[str]) -> StockPage:
        """Return the stocks of these names, all of one moment; a name that no stock has is left out."""

    def stocks_after(self, name: str, limit: int) -> StockPage:
        """Return up to `limit` stocks behind a name (exclusive) in the order of names, all of one moment."""

    def find_key(self, key: bytes) -> KeyFound:
        """Return what is known of a key (`key_of`); at least the keys of the last 1,000,000 trades are."""

    def trades_after(self, after: int, max_bytes: int, max_rows: int = 0) -> TradesPage:
        """Return whole rows from after+1 on, as OrderLog.read_after; none if `after` is not below the last number."""

    def epochs(self, limit: int) -> Sequence[Epoch]:
        """Return the newest leaderships, at most so many, oldest first; at least 1000 are known since a rebuild."""

    def changes_since(self, cursor: str) -> Changes:
        """Return the stocks that changed since the cursor, at once."""

    def wait_for_change(self, cursor: str, timeout_s: float) -> None:
        """Wait until `changes_since` has an answer other than "nothing", at most so long."""

    def close(self) -> None:
        """Wait for the turn under way, keep what helps the next start, give the store up; later calls are refused."""
