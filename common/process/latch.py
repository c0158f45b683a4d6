"""Something that happens once, and that threads, event loops and simulated processes can wait for."""

import threading
from collections.abc import Callable


class Latch:
    """Set once and for good. Any number of threads may use it.

    No lock: each callback is called by whoever takes it out of the list, and that is one of them alone.
    """

    __slots__ = ("_callbacks", "_is_set")

    def __init__(self) -> None:
        self._is_set = False
        self._callbacks: list[Callable[[], object]] = []

    def is_set(self) -> bool:
        """Return whether it has happened."""
        return self._is_set

    def set(self) -> None:
        """Let it have happened: all that wait go on."""
        self._is_set = True
        while self._callbacks:
            try:
                callback = self._callbacks.pop()
            except IndexError:  # another thread has taken the last one
                return
            callback()

    def call_when_set(self, callback: Callable[[], object]) -> None:
        """Have this called once it is set, in the thread that sets it; now if it is. It must neither wait nor raise."""
        self._callbacks.append(callback)
        if self._is_set:
            self.set()

    def forget(self, callback: Callable[[], object]) -> None:
        """Have it called no more, if it was not yet."""
        if callback in self._callbacks:
            try:
                self._callbacks.remove(callback)
            except ValueError:  # called meanwhile
                return

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait in this thread, until it is set or the time is over; return whether it is set."""
        if not self._is_set:
            woken = threading.Event()
            self.call_when_set(woken.set)
            woken.wait(timeout_s)
            self.forget(woken.set)
        return self._is_set
