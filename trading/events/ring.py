"""The newest events of one process, numbered: written by the sources, read by every stream at its own pace."""

import threading
from collections.abc import Sequence
from typing import NamedTuple

ORDER = "order"
STOCK = "stock"
LEADER = "leader"
REPLICA = "replica"
RESET = "reset"
TYPES = (ORDER, STOCK, LEADER, REPLICA, RESET)

EVENTS_KEPT = 20_000  # some 10 MB, and ten seconds of a market that trades as fast as it can


class Event(NamedTuple):
    """Something that happened, or a reset: something may have happened that is no event here.

    Attributes:
        type: one of TYPES.
        data: a JSON object on one line.
        stock_name: of an order or a stock; "" otherwise.
        account: of an order; None for what everybody may see.
        types: of a reset: what it is about. A stream gets it if it asks for any of them.
    """

    type: str
    data: str
    stock_name: str = ""
    account: str | None = None
    types: frozenset[str] = frozenset()


class EventRing:
    """At most `capacity` events, numbered 1, 2, 3, …; the oldest give way. Any number of threads may use it.

    Readers keep their own place and take nothing away: a slow one holds up nobody and costs no memory. It finds out
    that it was overtaken.
    """

    def __init__(self, run_id: str, capacity: int = EVENTS_KEPT) -> None:
        """`run_id` tells this ring's numbers from those of every other one; it holds no `-`."""
        self.run_id = run_id
        self._events: list[Event | None] = [None] * capacity  # number n is at n % capacity; guarded by _news
        self._last = 0  # guarded by _news
        self._is_closed = False  # guarded by _news
        self._news = threading.Condition()

    @property
    def last(self) -> int:
        """The number of the newest event, 0 if there is none."""
        return self._last

    @property
    def is_closed(self) -> bool:
        """Whether all streams are to end."""
        return self._is_closed

    def publish(self, events: Sequence[Event]) -> None:
        """Add events, the oldest first, and wake the readers."""
        with self._news:
            for event in events:
                self._last += 1
                self._events[self._last % len(self._events)] = event
            self._news.notify_all()

    def close(self) -> None:
        """Wake all readers, and let none wait any more."""
        with self._news:
            self._is_closed = True
            self._news.notify_all()

    def holds_all_after(self, number: int) -> bool:
        """Whether every event behind this number is still here; False for a number that was not given yet."""
        return 0 <= self._last - number <= len(self._events)

    def read(self, after: int, most: int, wait_s: float) -> list[Event] | None:
        """Return the events behind the number `after`, at most so many; None if some of them are gone.

        Waits for the first of them for `wait_s` at most, and returns none then, or when the ring is closed.
        """
        with self._news:
            self._news.wait_for(lambda: self._last > after or self._is_closed, wait_s)
            if not self.holds_all_after(after):
                return None
            numbers = range(after + 1, min(self._last, after + most) + 1)
            found = (self._events[number % len(self._events)] for number in numbers)
            return [event for event in found if event is not None]
