"""A value that is loaded when somebody asks for it, and kept for a while: for plain threads."""

import threading
import time
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from common.shared import Load

T = TypeVar("T")

# So many times as old as it should be, a value is not shown any more: who asks then waits for the one that loads.
MOST_LATE = 5


class StillLoading(Exception):
    """Another thread has been loading the value for longer than the caller wanted to wait."""


class _Loaded(NamedTuple, Generic[T]):
    value: T
    key: object
    at: float  # when it began to be loaded


class Kept(Generic[T]):
    """Loads at most once in `keep_s`, however many threads ask, and never when nobody does.

    While one thread loads, the others get the value before, unless that is `most_late` times as old as it should be;
    that a process which stands still is asked in vain holds up one thread, not all. With `most_late` 1 they always
    wait.
    """

    def __init__(
        self,
        load: Callable[[], T],
        keep_s: float,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        most_late: float = MOST_LATE,
    ) -> None:
        self._load = load
        self._keep_s = keep_s
        self._monotonic = monotonic
        self._shown_s = most_late * keep_s
        self._lock = threading.Lock()
        self._under_way: Load[T] | None = None  # guarded by _lock
        self._loaded: _Loaded[T] | None = None  # replaced as a whole, under _lock; read without it

    def get(self, key: object = None, *, wait_s: float | None = None) -> T:
        """Return the value, `keep_s` old at most, or `most_late` times that while another thread loads.

        With another key than the value was loaded for, it is loaded anew. Raises what loading raises, in the thread
        that loads; the value before stays, and one that waited for it loads in its turn.

        Raises:
            StillLoading: another thread has loaded for `wait_s`, and there is no value to show meanwhile.
        """
        while True:
            loaded = self._loaded
            if loaded is not None and self._is_good(loaded, key):
                return loaded.value
            with self._lock:
                if self._loaded is not loaded:
                    continue  # another thread has loaded since
                load, is_mine = self._under_way or Load(), self._under_way is None
                self._under_way = load
            if is_mine:
                return self._run(load, key)
            if loaded is not None and self._age_s(loaded) < self._shown_s:
                return loaded.value
            if not load.done.wait(wait_s):
                raise StillLoading

    def _run(self, load: Load[T], key: object) -> T:
        at = self._monotonic()
        loaded: _Loaded[T] | None = None
        try:
            loaded = _Loaded(self._load(), key, at)
            return loaded.value
        finally:
            with self._lock:
                self._under_way = None
                if loaded is not None:
                    self._loaded = loaded
            load.end(loaded.value if loaded is not None else None)

    def _is_good(self, loaded: _Loaded[T], key: object) -> bool:
        return loaded.key == key and self._age_s(loaded) < self._keep_s

    def _age_s(self, loaded: _Loaded[T]) -> float:
        return self._monotonic() - loaded.at
