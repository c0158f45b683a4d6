"""One stream: the events of the ring that one client wants, as the lines of a text/event-stream.

The form: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

import json
from collections.abc import Callable, Iterator
from math import inf

from trading.events.query import EventQuery, number_of_id
from trading.events.ring import EventRing
from trading.events.topics import RESET

PLACE = "place"
COMMENT_S = 15.0
# No blank line behind it: some clients take one for the end of an event, and then look for its data.
COMMENT = b":\n"
# So often an idle stream gives a thread's server an empty piece: it sends nothing, but may notice that the client is
# gone, and the thread is free again.
PROBE_S = 1.0
# With authentication on a stream ends after so long, and the client, which comes back with its place, is asked for its
# token again: one that was revoked or has expired shows nothing for longer.
MOST_AGE_S = 60.0
# How long a stream waits until each source knows where it begins; one that begins earlier gets a reset then.
BEGIN_S = 1.0
_RETRY_MS = 1000


class EventStream:
    """The pieces of one answer, for one thread or one task; `close` may be called by any thread, more than once.

    A thread waits to begin, and then iterates. A task calls `begin` and `take`, which never wait, and waits by
    laps.Laps for when there is more.

    Attributes:
        topics: what the stream asks for.
    """

    def __init__(
        self,
        ring: EventRing,
        query: EventQuery,
        last_event_id: str | None,
        monotonic: Callable[[], float],
        on_close: Callable[[], None],
    ) -> None:
        """Go on behind `last_event_id`, or begin with what happens from now on if that is None.

        `on_close` is called once, when the stream is closed.
        """
        self.topics = query.topics
        self._ring = ring
        self._monotonic = monotonic
        self._on_close: Callable[[], None] | None = on_close
        self._is_new = last_event_id is None
        self._back_at = None if last_event_id is None else number_of_id(last_event_id, ring.run_id)
        self._after: int | None = None  # None: the stream has not begun
        self._opening = b""
        self._told = 0  # the number of the last id that the client was given
        self._begin_due = monotonic() + BEGIN_S
        self._comment_due = monotonic() + COMMENT_S
        self._ends_at = inf if query.account is None else monotonic() + MOST_AGE_S

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """Return the next piece, as soon as there is one; an empty one after PROBE_S without. For threads."""
        if not (self.has_ended or self.has_news or self.is_due):
            self._ring.wait(self._after, PROBE_S)
        if self.has_ended:
            raise StopIteration
        return self.take()

    @property
    def has_ended(self) -> bool:
        """Whether nothing is to be sent any more."""
        is_old = self._ends_at < inf and self.remaining_s <= 0
        return is_old or self._on_close is None or self._ring.is_closed

    @property
    def remaining_s(self) -> float:
        """How long the stream may still be open, in seconds; `inf` where nobody is asked for a token."""
        return self._ends_at - self._monotonic()

    @property
    def has_news(self) -> bool:
        """Whether there may be something to send, whatever the time is."""
        if self._after is None:
            return self._ring.has_begun
        return bool(self._opening) or self._ring.last > self._after

    @property
    def is_due(self) -> bool:
        """Whether there is something to do although nothing that is wanted has happened: it is time for it."""
        if self._after is None:
            return self._monotonic() >= self._begin_due or self.remaining_s <= 0
        return self._monotonic() >= min(self._comment_due, self._ends_at) or self._is_told_an_old_place(self._ring.last)

    def pass_over(self, number: int) -> None:
        """Go on behind this number: nothing up to it is wanted."""
        if self._after is not None:
            self._after = max(self._after, number)

    def wait_to_begin(self) -> None:
        """Return when the stream has begun, BEGIN_S after it was made at the latest, or has ended. For threads."""
        while not (self.begin() or self.has_ended):
            self._ring.wait(None, max(0.0, self._begin_due - self._monotonic()))

    def begin(self) -> bool:
        """Take the place where the stream begins, if it is time to; return whether it has begun. Never waits.

        What happens from then on is seen. So this comes before the client is told that its stream is open.
        """
        if self._after is None and (self._ring.has_begun or self._monotonic() >= self._begin_due):
            self._opening = self._begin()
        return self._after is not None

    def take(self) -> bytes:
        """Return what is to be sent now, nothing if there is nothing. Never waits."""
        if self._after is None and not self.begin():
            return b""
        if self._opening:
            opening, self._opening = self._opening, b""
            return opening
        assert self._after is not None
        read = self._ring.read(self._after, self.topics)
        if read is None:
            self._after = self._ring.last
            return self._event(RESET, {"reason": "overrun"})
        self._after = read.place
        if not read.piece:
            return self._signs_of_life()
        self._told = read.told
        self._comment_due = self._monotonic() + COMMENT_S
        return read.piece

    def close(self) -> None:
        """End the stream and give its place to another one."""
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()

    def _begin(self) -> bytes:
        """Tell the place at once: who is cut off before the first event can go on too."""
        self._after = self._ring.last
        reset = b""
        if self._back_at is not None and self._ring.holds_all_after(self._back_at):
            self._after = self._back_at
        elif not self._is_new:  # before the place: who is cut off between must not go on as if nothing were missing
            reset = self._event(RESET, {"reason": "unknown_id"})
        return b"retry: %d\n" % _RETRY_MS + reset + self._event(PLACE, {})

    def _signs_of_life(self) -> bytes:
        """Return a comment if it is time for one, and the place if it has moved far past what the client was told."""
        assert self._after is not None
        place = self._event(PLACE, {}) if self._is_told_an_old_place(self._after) else b""
        if self._monotonic() < self._comment_due:
            return place
        self._comment_due = self._monotonic() + COMMENT_S
        return place + COMMENT

    def _is_told_an_old_place(self, now: int) -> bool:
        """Whether the client, coming back, might not find its place any more, for events that it does not want."""
        return now - self._told > self._ring.capacity // 4

    def _event(self, event_type: str, data: dict[str, str]) -> bytes:
        assert self._after is not None
        self._told = self._after
        return self._ring.lines(event_type, json.dumps(data), self._after)
