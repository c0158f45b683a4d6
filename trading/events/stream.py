"""One stream: the events of the ring that one client wants, as the lines of a text/event-stream.

The form: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

import json
from collections.abc import Callable, Iterator
from math import inf

from trading.events.query import EventQuery, number_of_id
from trading.events.ring import RESET, EventRing

COMMENT_S = 15.0
# So often an idle stream gives the server an empty piece: it sends nothing, but closes the stream of a client that is
# gone, and the thread is free again.
PROBE_S = 1.0
# With authentication on a stream ends after so long, and the client, which comes back with its place, is asked for its
# token again: one that was revoked or has expired shows nothing for longer.
MOST_AGE_S = 60.0
MOST_EVENTS = 500  # in one piece: what a stream that catches up holds in memory
_RETRY_MS = 1000


class EventStream:
    """The pieces of one answer. One thread takes them; `close` may be called by any, more than once."""

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
        self._ring = ring
        self._query = query
        self._monotonic = monotonic
        self._on_close: Callable[[], None] | None = on_close
        number = ring.last if last_event_id is None else number_of_id(last_event_id, ring.run_id)
        is_known = number is not None and ring.holds_all_after(number)
        self._after = number if number is not None and is_known else ring.last
        # The place is told at once: who is cut off before the first event can go on too.
        self._opening = f"retry: {_RETRY_MS}\n{self._comment()}" + ("" if is_known else self._reset("unknown_id"))
        self._comment_due = monotonic() + COMMENT_S
        self._ends_at = inf if query.account is None else monotonic() + MOST_AGE_S

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """Return the next piece, as soon as there is one; an empty one after PROBE_S without."""
        if self._opening:
            opening, self._opening = self._opening, ""
            return opening.encode()
        if self._ring.is_closed or self._on_close is None or self._monotonic() >= self._ends_at:
            raise StopIteration
        events = self._ring.read(self._after, MOST_EVENTS, PROBE_S)
        if events is None:
            self._after = self._ring.last
            return self._reset("overrun").encode()
        texts = []
        for event in events:
            self._after += 1
            if self._query.wants(event):
                texts.append(self._text(event.type, event.data))
        if self._monotonic() >= self._comment_due:
            self._comment_due = self._monotonic() + COMMENT_S
            texts.append(self._comment())
        return "".join(texts).encode()

    def close(self) -> None:
        """End the stream and give its place to another one."""
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()

    def _comment(self) -> str:
        """Return a comment. The id beside it moves on past events that were left out, so that they are not replayed."""
        return f": {self._id()}\nid: {self._id()}\n\n"

    def _reset(self, reason: str) -> str:
        return self._text(RESET, json.dumps({"reason": reason}))

    def _text(self, event_type: str, data: str) -> str:
        return f"id: {self._id()}\nevent: {event_type}\ndata: {data}\n\n"

    def _id(self) -> str:
        return f"{self._ring.run_id}-{self._after}"
