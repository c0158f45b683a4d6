"""What was done to a running system and what it answered, and the files that it left behind.

All times are of one monotonic clock, in seconds: a history is recorded by one process. An operation lies between
`invoked`, taken before it was sent, and `ended`, taken after it was answered or given up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

JOURNAL = "journal"


@dataclass(frozen=True, slots=True)
class ShownOrder:
    """An order as an answer shows it. `price` has two decimals, `created_at` is the answer's text."""

    number: int
    name: str
    order_type: str
    quantity: int
    price: str
    key: str
    created_at: str


class Outcome(StrEnum):
    """What one request to place an order was answered (docs/API.md, 4 and 6)."""

    ORDER = "order"
    REFUSED = "refused"  # 404, 409: settles the earlier requests with this key too
    KEY_REUSED = "key reused"
    NOT_EXECUTED = "not executed"  # 400, 503: says nothing of other requests with this key
    UNKNOWN = "unknown"
    NO_ANSWER = "no answer"


class Reason(StrEnum):
    """Why an order was refused."""

    UNKNOWN_STOCK = "unknown stock"
    INSUFFICIENT_STOCK = "insufficient stock"
    STOCK_LIMIT = "stock limit"


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """One request to place an order. A retry is another one with the same account and key.

    Attributes:
        frontend: the process that was asked.
        order: what was answered; with Outcome.ORDER alone.
        reason: with Outcome.REFUSED alone.
        available: the quantity that an INSUFFICIENT_STOCK named, None if none.
        reused_number: the existing order's number that a KEY_REUSED named, None if none.
    """

    frontend: str
    invoked: float
    ended: float
    key: str
    name: str
    order_type: str
    quantity: int
    outcome: Outcome
    order: ShownOrder | None = None
    reason: Reason | None = None
    available: int | None = None
    reused_number: int | None = None
    account: str = ""


@dataclass(frozen=True, slots=True)
class ReadStock:
    """A look-up of a stock that was answered. `quantity` None: there is no such stock.

    `cached`: the answer may come from the frontend's cache, so it may be up to a second old.
    """

    frontend: str
    invoked: float
    ended: float
    name: str
    quantity: int | None
    cached: bool = False


@dataclass(frozen=True, slots=True)
class LookUpOrder:
    """A look-up of an order that was answered. `order` None: there is no order of this number."""

    frontend: str
    invoked: float
    ended: float
    number: int
    order: ShownOrder | None


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a list. `latest`: the highest number that it named."""

    invoked: float
    ended: float
    orders: tuple[ShownOrder, ...]
    latest: int
    has_more: bool


@dataclass(frozen=True, slots=True)
class ListOrders:
    """A list, page after page; without its end if a page was not answered or not asked for.

    Empty filters let everything through; `after_number` is exclusive.
    """

    frontend: str
    pages: tuple[Page, ...]
    descending: bool = False
    after_number: int = 0
    names: tuple[str, ...] = ()
    order_type: str = ""
    key: str = ""

    @property
    def invoked(self) -> float:
        """When the first page was asked for."""
        return self.pages[0].invoked

    @property
    def ended(self) -> float:
        """When the last page was answered."""
        return self.pages[-1].ended


Operation: TypeAlias = PlaceOrder | ReadStock | LookUpOrder | ListOrders


@dataclass
class History:
    """All that a check needs.

    Attributes:
        initial: the quantity of each stock before order 1.
        files: the bytes of the catalog's JOURNAL and of each replica's log, by name; read after the last operation that
            may have made an order, unless `files_read_at` says otherwise.
        files_read_at: when the journal was read, if operations after it are recorded; they make no orders.
        orders_before: how many orders there were before the first operation; nobody is asked where they come from.
        complete: whether every later order was asked for by an operation. If not, others may have made some.
        behind: names of files that may lack the journal's end, because their replica was away.
        slack_s: how far a cached read's second may be exceeded, for a busy machine's sake.
        order_budget_s: how long a frontend tries an order whose client has gone away.
    """

    cluster_id: str
    initial: Mapping[str, int]
    operations: list[Operation] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    files_read_at: float | None = None
    orders_before: int = 0
    complete: bool = True
    behind: frozenset[str] = frozenset()
    slack_s: float = 0.0
    order_budget_s: float = 8.0
