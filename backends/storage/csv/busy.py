"""How long the catalog's small files have been waiting for the disk."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class BusyWatch:
    """The writes and syncs that are under way. Any number of threads may use it; nothing here waits for a disk."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._begun: dict[object, float] = {}  # guarded by _lock

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Count as under way what is done inside a `with` block."""
        token = object()
        with self._lock:
            self._begun[token] = self._monotonic()
        try:
            yield
        finally:
            with self._lock:
                del self._begun[token]

    def stalled_s(self) -> float:
        """Return the age in seconds of the oldest one, 0.0 if there is none."""
        with self._lock:
            oldest = min(self._begun.values(), default=None)
        return 0.0 if oldest is None else max(0.0, self._monotonic() - oldest)
