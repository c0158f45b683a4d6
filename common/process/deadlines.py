"""One thread that ends what has not ended by itself in time."""

import threading
import time
from collections.abc import Callable
from math import inf

import structlog

log = structlog.get_logger()

End = Callable[[], object]


class Deadlines:
    """For waits that take no time-out of their own. Any thread may use it.

    To set and to drop one costs a lock: the thread is woken only for a deadline before all that it knows of. It is
    started with the first one.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        # All below are guarded by _changed.
        self._deadlines: dict[End, float] = {}
        self._wakes_at = inf
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def set(self, end: End, deadline: float) -> None:
        """Have `end` called once, at this time of the monotonic clock, unless it is dropped before."""
        with self._changed:
            self._deadlines[end] = deadline
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                thread.start()  # may fail: then the next one tries it
                self._thread = thread
            elif deadline < self._wakes_at:
                self._changed.notify()

    def drop(self, end: End) -> bool:
        """Forget a deadline; False if it was too late: `end` was called, or is about to be."""
        with self._changed:
            return self._deadlines.pop(end, None) is not None

    def close(self) -> None:
        """Forget all deadlines and end the thread."""
        with self._changed:
            self._deadlines.clear()
            self._is_closed = True
            self._changed.notify()

    def _run(self) -> None:
        while not self._is_closed:
            for end in self._wait_for_late():
                try:
                    end()
                except Exception:
                    log.exception("what was to end at its deadline could not be ended")

    def _wait_for_late(self) -> list[End]:
        """Sleep until some are late, and forget them; none at the end."""
        with self._changed:
            while not self._is_closed:
                now = time.monotonic()
                late = [end for end, deadline in self._deadlines.items() if deadline <= now]
                if late:
                    for end in late:
                        del self._deadlines[end]
                    self._wakes_at = now
                    return late
                self._wakes_at = min(self._deadlines.values(), default=inf)
                self._changed.wait(None if self._wakes_at == inf else self._wakes_at - now)
            return []
