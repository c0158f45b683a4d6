"""Clients that place orders all the time, as a user with a key for each order would."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx

from tests.harness.rest import Rest

RETRY_PAUSE_S = 0.05
NO_ANSWER = 0  # stands for an HTTP status where there was none
RETRIED = frozenset({503, 504, NO_ANSWER})
REFUSALS = frozenset({400, 404, 409, 422})


@dataclass
class PlacedOrder:
    """One intended order and what became of it. Times are of time.monotonic.

    Attributes:
        statuses: HTTP status of each attempt, NO_ANSWER for one that was not answered.
        outcomes: `outcome` of each failed attempt that was answered.
        number: the transaction number, None while it was not acknowledged.
        refusal: `reason` of the final refusal, None if there was none.
        answer: the order as it was acknowledged.
        bodies: the answers that are neither a success, a refusal nor a 503 or 504.
    """

    key: str
    name: str
    order_type: str
    quantity: int
    started: float
    ended: float = 0.0
    statuses: list[int] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    number: int | None = None
    refusal: str | None = None
    answer: dict[str, object] | None = None
    bodies: list[str] = field(default_factory=list)

    @property
    def was_not_executed(self) -> bool:
        """Whether the client was told for certain that there is no such order."""
        told = self.outcomes and set(self.outcomes) == {"not_executed"} and len(self.outcomes) == len(self.statuses)
        return self.number is None and (self.refusal is not None or bool(told))


class Load:
    """Client threads that place orders until stopped or until `count` are done. Use it as a context manager."""

    def __init__(
        self,
        rest: Rest,
        names: Sequence[str],
        *,
        clients: int,
        count: int | None = None,
        prefix: str = "load",
        seed: int = 1,
        give_up_after_s: float = 60.0,
        pause_s: float = 0.0,
    ) -> None:
        """Half of the orders are buys; stocks and quantities (1 to 3) follow from `seed`.

        Args:
            give_up_after_s: how long one order is tried, with the same key.
            pause_s: between a client's orders.
        """
        self._rest = rest
        self._names = list(names)
        self._count = count
        self._prefix = prefix
        self._chance = random.Random(seed)  # guarded by _lock
        self._give_up_after_s = give_up_after_s
        self._pause_s = pause_s
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._next = 0  # guarded by _lock
        self.history: list[PlacedOrder] = []  # appended under _lock, in the order in which they were begun
        self._threads = [threading.Thread(target=self._run, name=f"client-{n}", daemon=True) for n in range(clients)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Begin no more orders, and wait until those begun are settled or given up."""
        self._stopping.set()
        self.join(self._give_up_after_s + 20)

    def join(self, within_s: float) -> None:
        """Wait until all `count` orders are done.

        Raises:
            AssertionError: they are not in this time.
        """
        deadline = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        assert not any(thread.is_alive() for thread in self._threads), f"clients not done within {within_s} s"

    @property
    def acknowledged(self) -> list[PlacedOrder]:
        """The orders that got a transaction number so far."""
        return [order for order in list(self.history) if order.number is not None]

    def acknowledged_since(self, moment: float) -> int:
        """Return how many orders were begun and acknowledged after this moment."""
        return sum(order.started > moment for order in self.acknowledged)

    def longest_wait_s(self) -> float:
        """Return how long the slowest settled order took, with all its attempts."""
        return max((order.ended - order.started for order in list(self.history) if order.ended), default=0.0)

    def _run(self) -> None:
        while (order := self._begin()) is not None:
            settle(self._rest, order, self._give_up_after_s)
            if self._pause_s:
                self._stopping.wait(self._pause_s)

    def _begin(self) -> PlacedOrder | None:
        with self._lock:
            if self._stopping.is_set() or (self._count is not None and self._next >= self._count):
                return None
            self._next += 1
            order = PlacedOrder(
                key=f"{self._prefix}-{self._next}",
                name=self._chance.choice(self._names),
                order_type="buy" if self._next % 2 else "sell",
                quantity=self._chance.randint(1, 3),
                started=time.monotonic(),
            )
            self.history.append(order)
            return order


def settle(rest: Rest, order: PlacedOrder, give_up_after_s: float, now: Callable[[], float] = time.monotonic) -> None:
    """Place one order with its key until it is acknowledged, refused, or the time is up; record what happened."""
    while True:
        status = _attempt(rest, order)
        if status not in RETRIED or now() - order.started > give_up_after_s:
            order.ended = now()
            return
        time.sleep(RETRY_PAUSE_S)


def _attempt(rest: Rest, order: PlacedOrder) -> int:
    try:
        response = rest.place(order.name, order.order_type, order.quantity, order.key)
    except httpx.TransportError:
        order.statuses.append(NO_ANSWER)
        return NO_ANSWER
    status = response.status_code
    order.statuses.append(status)
    if status == 201:
        order.answer = response.json()["data"]
        order.number = response.json()["data"]["transaction_number"]
        return status
    if status not in REFUSALS | RETRIED:
        order.bodies.append(f"{status} {response.text[:500]}")
        return status
    error = response.json()["error"]
    order.outcomes.append(error["outcome"])
    if status in REFUSALS:
        order.refusal = error["reason"]
    return status
