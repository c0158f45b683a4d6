"""Admission: so many may wait, and no more.

Of the threads of a backend's server, some are never held by callers that wait: HealthCheck, AssignLeader and BulkUpsert
must not queue behind them, or load would look like death.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason

WORKER_COUNT = 192  # threads of a backend's server
# How many of them may be held, at most, by callers that wait for an order or a long poll,
WAITING_COUNT = 64
# by reads, which may have to ask the catalog,
READING_COUNT = 40
# and by streams of calls, each as long as it is open.
STREAM_COUNT = 64


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
