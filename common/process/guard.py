"""A look at a process beside a call to it: an answer that does not come does not tell whether it is dead or slow."""

import threading
import time
from collections.abc import Callable

import structlog

from common.process.deadlines import Deadlines

log = structlog.get_logger()


class Guard:
    """Looks every `after_s` until the call is over, and gives the call up once the process is found dead."""

    def __init__(
        self,
        deadlines: Deadlines,
        after_s: float,
        *,
        is_alive: Callable[[], bool],
        give_up: Callable[[], object],
        start: Callable[[Callable[[], None]], object],
    ) -> None:
        """Begin. `is_alive` may take its time: `start` runs it in another thread. `give_up` must not wait."""
        self._deadlines = deadlines
        self._after_s = after_s
        self._is_alive = is_alive
        self._give_up = give_up
        self._start = start
        self._lock = threading.Lock()
        self._is_over = False  # guarded by _lock
        self._look_later()

    def end(self) -> None:
        """The call is over: nothing is given up any more."""
        with self._lock:
            self._is_over = True
        self._deadlines.drop(self._due)

    def _look_later(self) -> None:
        self._deadlines.set(self._due, time.monotonic() + self._after_s)

    def _due(self) -> None:
        self._start(self._look)

    def _look(self) -> None:
        try:
            is_alive = self._is_alive()
        except Exception:
            log.exception("the look beside a call failed")  # the call ends by its own deadline
            return
        with self._lock:
            if self._is_over:
                return
            if is_alive:
                self._look_later()
            else:
                self._give_up()
