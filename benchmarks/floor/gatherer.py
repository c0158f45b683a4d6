"""Threads that wait share one call: the plainest form of what Bourse's gatherer and its leader do."""

import threading
from collections.abc import Callable, Sequence
from typing import Any


class _Waiting:
    def __init__(self, items: Sequence[Any], *, sends: bool) -> None:
        self.items = items
        self.sends = sends  # it is this one's turn to send for all
        self.woken = threading.Event()  # it has its answers, or the turn to send
        self.answers: Sequence[Any] = ()


class Gatherer:
    """Hands all that waits to `send`, in the thread of one who waits; one call at a time."""

    def __init__(self, send: Callable[[list[Any]], Sequence[Any]]) -> None:
        """`send` returns an answer for each item."""
        self._send = send
        self._lock = threading.Lock()
        self._is_busy = False  # a call is under way, or the turn to send was given; guarded by _lock
        self._waiting: list[_Waiting] = []  # those without the turn to send; guarded by _lock

    def place(self, items: Sequence[Any]) -> Sequence[Any]:
        """Return the answers to these items."""
        with self._lock:
            own = _Waiting(items, sends=not self._is_busy)
            self._is_busy = True
            if not own.sends:
                self._waiting.append(own)
        if not own.sends:
            own.woken.wait()
        if own.sends:
            self._send_for_all(own)
        return own.answers

    def _send_for_all(self, own: _Waiting) -> None:
        with self._lock:
            batch, self._waiting = [own, *self._waiting], []
        answers = self._send([item for one in batch for item in one.items])
        place = 0
        for one in batch:
            one.answers = answers[place : place + len(one.items)]
            place += len(one.items)
            one.woken.set()
        with self._lock:
            if self._waiting:
                heir = self._waiting.pop(0)
                heir.sends = True
                heir.woken.set()
            else:
                self._is_busy = False
