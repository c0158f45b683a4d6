"""Many readers or one writer."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager


class ReadWriteLock:
    """A lock that many readers or one writer may hold.

    A writer that waits goes first: readers that come after it wait behind it, so it is not starved (Courtois, Heymans
    and Parnas 1971, "Concurrent Control with Readers and Writers", the second problem). Not re-entrant: a thread that
    holds it and asks again may wait for itself.

    It guards the catalog's stocks, the order database's index and the frontend's stock cache. It is held for memory
    operations only: never across an RPC, a write or a sync, or one slow disk or peer would stop every reader.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition(threading.Lock())
        self._readers: dict[int, int] = {}  # thread id -> read holds; guarded by _condition, like all below
        self._writer: int | None = None
        self._writers_waiting = 0
        self._reading = _Hold(self.acquire_read, self.release_read)
        self._writing = _Hold(self.acquire_write, self.release_write)

    def acquire_read(self) -> None:
        """Wait until no writer holds the lock or waits for it, then hold it for reading."""
        me = threading.get_ident()
        with self._condition:
            while self._writer is not None or self._writers_waiting:
                self._condition.wait()
            self._readers[me] = self._readers.get(me, 0) + 1

    def release_read(self) -> None:
        """Give a read hold of this thread back.

        Raises:
            RuntimeError: this thread does not hold the lock for reading.
        """
        me = threading.get_ident()
        with self._condition:
            holds = self._readers.get(me, 0)
            if not holds:
                raise RuntimeError(f"thread {me} releases a read lock that it does not hold")
            if holds > 1:
                self._readers[me] = holds - 1
                return
            del self._readers[me]
            if not self._readers and self._writers_waiting:
                self._condition.notify_all()

    def acquire_write(self) -> None:
        """Wait until nobody holds the lock, then hold it alone."""
        me = threading.get_ident()
        with self._condition:
            self._writers_waiting += 1
            try:
                while self._writer is not None or self._readers:
                    self._condition.wait()
                self._writer = me
            finally:
                self._writers_waiting -= 1

    def release_write(self) -> None:
        """Give the write hold back.

        Raises:
            RuntimeError: this thread does not hold the lock for writing.
        """
        me = threading.get_ident()
        with self._condition:
            if self._writer != me:
                raise RuntimeError(f"thread {me} releases a write lock that it does not hold")
            self._writer = None
            self._condition.notify_all()

    def read(self) -> AbstractContextManager[None]:
        """Hold the lock for reading inside a `with` block."""
        return self._reading

    def write(self) -> AbstractContextManager[None]:
        """Hold the lock alone inside a `with` block."""
        return self._writing


class _Hold(AbstractContextManager[None]):
    """Holds a lock inside a `with` block. It has no state of its own: any number of threads may use it at once."""

    __slots__ = ("_acquire", "_release")

    def __init__(self, acquire: Callable[[], None], release: Callable[[], None]) -> None:
        self._acquire = acquire
        self._release = release

    def __enter__(self) -> None:
        self._acquire()

    def __exit__(self, *_: object) -> None:
        self._release()
