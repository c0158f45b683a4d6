"""Admission: so many may wait, and no more."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from common.calls.failures import RpcFailure


class WaitingRoom:
    """Admits callers that wait, up to a fixed number, so that they never take all threads of the server."""

    def __init__(self, places: int, reason: str) -> None:
        self._places = threading.BoundedSemaphore(places)
        self._count = places
        self._reason = reason

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place inside a `with` block.

        Raises:
            RpcFailure: RESOURCE_EXHAUSTED with the room's reason: all places are taken; nothing was done.
        """
        if not self._places.acquire(blocking=False):
            raise RpcFailure(
                f"all {self._count} places for waiting callers are taken",
                code=grpc.StatusCode.RESOURCE_EXHAUSTED,
                reason=self._reason,
            )
        try:
            yield
        finally:
            self._places.release()
