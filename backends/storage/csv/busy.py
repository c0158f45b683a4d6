"""How long durable writes have been waiting for the disk."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class BusyWatch:
    """The writes and syncs that are under way. Any number of threads may use it; nothing here waits for a disk."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        # When each began. No lock, as every batch comes by: the interpreter does each step below as a whole.
        self._begun: list[float] = []

    def begin(self) -> float:
        """Count one as under way from now on, until `end` is called with what this returns."""
        began = self._monotonic()
        self._begun.append(began)
        return began

    def end(self, began: float) -> float:
        """Note that it is over; return how many seconds it took."""
        self._begun.remove(began)
        return self._monotonic() - began

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Count as under way what is done inside a `with` block."""
        began = self.begin()
        try:
            yield
        finally:
            self.end(began)

    def stalled_s(self) -> float:
        """Return the age in seconds of the oldest one, 0.0 if there is none."""
        oldest = min(self._begun, default=None)
        return 0.0 if oldest is None else max(0.0, self._monotonic() - oldest)
