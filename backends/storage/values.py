"""What a store is asked for and answers: plain values, the same for every engine. The contracts are in ports.py."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

from common.calls.failures import RpcFailure
from common.rows import Row
from protos import catalog_pb2


class Position(NamedTuple):
    """How far a history is: the last number, 0 for none, and the chain at it."""

    number: int
    chain: int


@dataclass(frozen=True)
class RowQuery:
    """Which rows a list shows, and from which end. An empty text, no name or 0 leaves that side open.

    Attributes:
        limit: how many rows at most, at least 1.
        after_number, before_number: exclusive.
        after_time, until_time: exclusive; in the form of Row.created_at.
        account: None: any; "" is an account too.
    """

    limit: int
    descending: bool = False
    after_number: int = 0
    before_number: int = 0
    after_time: str = ""
    until_time: str = ""
    stock_names: tuple[str, ...] = ()
    order_type: str = ""
    account: str | None = None
    idempotency_key: str = ""


class RowPage(NamedTuple):
    """Rows that match a query, in number order or its reverse.

    Attributes:
        last_number: of the log, from before it was searched.
        resume_number: behind which number the search goes on: every match on this side of it is in this page or was in
            one before; 0 if there can be no more.
    """

    rows: Sequence[Row]
    last_number: int
    resume_number: int


@dataclass(slots=True)
class Stock:
    """One stock as of its last trade.

    Invariant: quantity = initial_quantity + all sells - all buys, within 0 to 10^15.

    Attributes:
        price_cents: of one share.
        initial_quantity: shares before the first trade.
        quantity: shares left.
        last_trade: number of its last trade, 0 if there was none.
    """

    name: str
    price_cents: int
    initial_quantity: int
    quantity: int
    last_trade: int

    @classmethod
    def new(cls, name: str, price_cents: int, initial_quantity: int) -> "Stock":
        """Return a stock that was never traded."""
        return cls(name, price_cents, initial_quantity, initial_quantity, 0)


class Epoch(NamedTuple):
    """One leadership. Epoch 0 was led by nobody: none has begun yet.

    Attributes:
        leader_id: 0: begun by a rebuild, nobody led in it.
        time: when it began, UTC, RFC 3339 with microseconds; for people only.
    """

    epoch: int
    leader_id: int
    time: str


NO_EPOCH = Epoch(0, 0, "")

# What a batch was answered: a refusal of the whole is an answer too.
Answer: TypeAlias = catalog_pb2.UpdateStockResponse | RpcFailure


class Gate(NamedTuple):
    """Which epoch may trade, and the answer to its last batch.

    Attributes:
        epoch: the newest, if it may trade; else 0. A store that forgets the answer at a restart forgets this too.
        batch_seq: of the last batch that was answered, 0 for none.
        answer: what that was answered; None if there was none.
    """

    epoch: int
    batch_seq: int
    answer: Answer | None


SHUT = Gate(0, 0, None)


class Level(NamedTuple):
    """What a trade leaves of a stock."""

    quantity: int
    last_trade: int


class Trades(NamedTuple):
    """What a batch changes, all of it together.

    Attributes:
        rows: the bytes of the new rows, in number order; they continue the ledger's position.
        position: of the last of them.
        created_at: of all of them.
        levels: what they leave of each stock that they trade, by name.
        keys: the keys of the new rows (backends/storage/known_keys.py, `key_of`), with their numbers.
    """

    rows: bytes
    position: Position
    created_at: str
    levels: Mapping[str, Level]
    keys: Mapping[bytes, int]


@dataclass(frozen=True, slots=True)
class LedgerState:
    """What a rule may know of a ledger while it holds the only turn to change it. It must not be kept.

    Attributes:
        newest: the newest epoch.
        created_at: of the last row, "" if there is none.
        stocks: at least those that the rule names; not to be changed.
        number_of: the number of the trade that a key made, None if the key is not known; at least for the rule's.
        chain_at: the chain at a number within 0..last number.
        is_full: the store has no room for rows now.
    """

    newest: Epoch
    gate: Gate
    position: Position
    created_at: str
    stocks: Mapping[str, Stock]
    number_of: Callable[[bytes], int | None]
    chain_at: Callable[[int], int]
    is_full: bool = False

    def when_full(self) -> "LedgerState":
        """Return the same state of a store that has no room."""
        return replace(self, is_full=True)


class Decision(NamedTuple):
    """What a rule makes of a batch.

    Attributes:
        answer: what the caller is told.
        batch_seq: under which the answer is stored, with the trades; 0: it is a stored one, and nothing is stored.
        trades: what changes; None: nothing.
    """

    answer: Answer
    batch_seq: int
    trades: Trades | None = None


class KeyFound(NamedTuple):
    """What a ledger knows of a key.

    Attributes:
        number: of the trade that it made, 0 if it is not known.
        known_from: from this number on no key is forgotten.
        last_number: every key of a trade up to this one was looked at.
    """

    number: int
    known_from: int
    last_number: int


class Changes(NamedTuple):
    """The answer to "what changed since this cursor".

    Attributes:
        names: the stocks that changed, each once, in no particular order.
        cursor: where the next question goes on.
        reset: the cursor says nothing here: any stock may have changed.
    """

    names: list[str]
    cursor: str
    reset: bool


class StockPage(NamedTuple):
    """Stocks of one moment, copies; whether there are more behind them; the last number that they are as of."""

    stocks: list[Stock]
    has_more: bool
    last_number: int


class TradesPage(NamedTuple):
    """Rows of the journal of one moment.

    Attributes:
        after_chain: the chain at the number behind which they stand; None: that is above the last number.
        rows: whole rows, none at the end.
        last_number: of the journal.
    """

    after_chain: int | None
    rows: bytes
    last_number: int


class LedgerHealth(NamedTuple):
    """How a ledger is.

    Attributes:
        newest: the newest epoch, NO_EPOCH if none has begun.
        position: the last number that readers see, and the chain at it.
        halted: why nothing may be decided until it is repaired, and how that is done; "" if it may.
        stalled_s: the age of the oldest durable write under way, 0.0 if there is none.
        findings: what was found wrong with its store, until an operator has seen it.
    """

    newest: Epoch
    position: Position
    halted: str
    stalled_s: float
    findings: Sequence[str] = ()


class Begun(NamedTuple):
    """An epoch that has begun, and the position behind which it trades."""

    epoch: Epoch
    position: Position
