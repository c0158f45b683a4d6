"""The newest events of one process, numbered: written by the sources, read by every stream at its own pace."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from trading.events.topics import Topics, event_topics

EVENTS_KEPT = 20_000  # some 10 MB, and ten seconds of a market that trades as fast as it can
# In one piece, which a stream may hold in memory while its client does not read. More than one event has.
MOST_PIECE_BYTES = 16 << 10
MOST_LOOKED_AT = 2_000  # by one read: a millisecond at most, so that a loop that reads serves others too
MOST_SHARED = 256  # reads that are kept for others


class Event(NamedTuple):
    """Something that happened, or a reset: something may have happened that is no event here.

    Attributes:
        type: one of topics.TYPES.
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


class Read(NamedTuple):
    """What one read of the ring found.

    Attributes:
        piece: the events that were wanted, as lines of a text/event-stream; at most MOST_PIECE_BYTES and an event.
        told: the number of the last one in it, 0 without any.
        place: the number up to which was read: the next read goes on behind it.
    """

    piece: bytes
    told: int
    place: int


class _Kept(NamedTuple):
    """An event as its readers need it: written once, however many they are."""

    topics: Topics
    lines: bytes


class _Window:
    """The newest events, which many readers read at once, and what was found for the first of each kind of them."""

    def __init__(self, after: int, last: int, about: Topics) -> None:
        self.after, self.last, self.about = after, last, about
        self.reads: dict[tuple[int, Topics], Read] = {}  # by where they began, and what of `about` they asked for


class EventRing:
    """At most `capacity` events, numbered 1, 2, 3, …; the oldest give way. Any number of threads may use it.

    Readers keep their own place and take nothing away: a slow one holds up nobody and costs no memory. It finds out
    that it was overtaken.
    """

    def __init__(self, run_id: str, capacity: int = EVENTS_KEPT) -> None:
        """`run_id` tells this ring's numbers from those of every other one; it holds no `-`."""
        self.run_id = run_id
        self._events: list[_Kept | None] = [None] * capacity  # number n is at n % capacity; guarded by _news
        self._last = 0  # guarded by _news
        self._window = _Window(0, 0, frozenset())  # guarded by _news
        self._has_begun = False  # guarded by _news
        self._is_closed = False  # guarded by _news
        self._news = threading.Condition()
        self._listeners: list[Callable[[], None]] = []

    @property
    def last(self) -> int:
        """The number of the newest event, 0 if there is none."""
        return self._last

    @property
    def capacity(self) -> int:
        """How many events are kept."""
        return len(self._events)

    @property
    def has_begun(self) -> bool:
        """Whether whatever happens from now on becomes an event."""
        return self._has_begun

    @property
    def is_closed(self) -> bool:
        """Whether all streams are to end."""
        return self._is_closed

    def listen(self, listener: Callable[[], None]) -> None:
        """Have `listener` called after every publish, and when the ring begins or is closed; in any thread, for ever.

        It must not raise, nor wait.
        """
        self._listeners.append(listener)

    def publish(self, events: Sequence[Event]) -> None:
        """Add events, the oldest first, and wake the readers."""
        with self._news:
            for event in events:
                self._last += 1
                topics = event_topics(event.type, event.stock_name, event.account, event.types)
                kept = _Kept(topics, self.lines(event.type, event.data, self._last))
                self._events[self._last % len(self._events)] = kept
            self._news.notify_all()
        self._tell()

    def begin(self) -> None:
        """Say that the sources know where they begin, and wake the readers."""
        with self._news:
            self._has_begun = True
            self._news.notify_all()
        self._tell()

    def close(self) -> None:
        """Wake all readers, and let none wait any more."""
        with self._news:
            self._is_closed = True
            self._news.notify_all()
        self._tell()

    def lines(self, event_type: str, data: str, number: int) -> bytes:
        """Return an event of this number as lines of a text/event-stream."""
        return f"id: {self.run_id}-{number}\nevent: {event_type}\ndata: {data}\n\n".encode()

    def holds_all_after(self, number: int) -> bool:
        """Whether every event behind this number is still here; False for a number that was not given yet."""
        return 0 <= self._last - number <= len(self._events)

    def read(self, after: int, topics: Topics) -> Read | None:
        """Return the first of the events behind the number `after` that are wanted; None if some of them are gone.

        Never waits. It may find nothing, and yet not have come to the end: at most MOST_LOOKED_AT events are looked at.
        Within the window, readers of one place who want the same of it share what was found for the first of them.
        """
        with self._news:
            if not self.holds_all_after(after):
                return None
            window = self._window
            if not window.after <= after < window.last:
                return self._read(after, self._last, topics)
            wanted = topics & window.about
            read = window.reads.get((after, wanted))
            if read is None:
                read = self._read(after, window.last, wanted)
                if len(window.reads) < MOST_SHARED:
                    window.reads[after, wanted] = read
            return read

    def open_window(self, after: int, last: int) -> Topics | None:
        """Have the events behind `after`, to `last`, be read by many at once.

        Returns:
            What they are about, all together; None if some of them are gone.
        """
        with self._news:
            if not self.holds_all_after(after):
                return None
            about = frozenset().union(*{kept.topics for kept in self._kept(after, last)})
            self._window = _Window(after, last, about)
            return about

    def wait(self, after: int | None, wait_s: float) -> None:
        """Return when there are events behind this number, or the ring is closed, or `wait_s` is over.

        None instead of a number: when the ring begins. For threads; a loop is told by `listen`.
        """

        def is_over() -> bool:
            return self._is_closed or (self._has_begun if after is None else self._last > after)

        with self._news:
            self._news.wait_for(is_over, wait_s)

    def _read(self, after: int, last: int, topics: Topics) -> Read:
        wanted: list[bytes] = []
        size, told, place = 0, 0, after
        for place, kept in enumerate(self._kept(after, min(last, after + MOST_LOOKED_AT)), after + 1):
            if not topics.isdisjoint(kept.topics):
                wanted.append(kept.lines)
                told = place
                size += len(kept.lines)
                if size >= MOST_PIECE_BYTES:
                    break
        return Read(b"".join(wanted), told, place)

    def _kept(self, after: int, last: int) -> Iterator[_Kept]:
        for number in range(after + 1, last + 1):
            kept = self._events[number % len(self._events)]
            assert kept is not None, "holds_all_after comes first"
            yield kept

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()
