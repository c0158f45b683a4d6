"""Admission: so many may wait, and no more."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason


class WaitingRoom:
    """Admits callers that wait, up to a fixed number, so that they never take all threads of the server."""

    def __init__(self, places: int, reason: Reason) -> None:
        self._places = threading.BoundedSemaphore(places)
        self._count = places
        self._reason = reason

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place inside a `with` block.

        Raises:
            RpcFailure: the room's reason: all places are taken; nothing was done.
        """
        if not self._places.acquire(blocking=False):
            raise RpcFailure(self._reason, f"all {self._count} places for waiting callers are taken")
        try:
            yield
        finally:
            self._places.release()
