"""A value that is loaded when somebody asks for it, and then kept for a while for all who do."""

import threading
import time
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

# So many times as old as it should be, a value is not shown any more: who asks then waits for the one that loads.
MOST_LATE = 5


class _Loaded(NamedTuple, Generic[T]):
    value: T
    key: object
    at: float  # when it began to be loaded


class Kept(Generic[T]):
    """Loads at most once in `keep_s`, however many threads ask, and never when nobody does.

    While one thread loads, the others get the value before; that a process which stands still is asked in vain holds
    up one thread, not all.
    """

    def __init__(self, load: Callable[[], T], keep_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._load = load
        self._keep_s = keep_s
        self._monotonic = monotonic
        self._turn = threading.Lock()  # held by the thread that loads
        self._loaded: _Loaded[T] | None = None  # replaced as a whole

    def get(self, key: object = None) -> T:
        """Return the value, `keep_s` old at most, or MOST_LATE times that while another thread loads.

        With another key than the value was loaded for, it is loaded anew. Raises what loading raises, in the thread
        that loads; the value before stays.
        """
        loaded = self._loaded
        if loaded is not None and self._is_good(loaded, key):
            return loaded.value
        may_be_shown = loaded is not None and self._age_s(loaded) < MOST_LATE * self._keep_s
        if not self._turn.acquire(blocking=not may_be_shown):
            assert loaded is not None
            return loaded.value
        try:
            loaded = self._loaded  # another thread may have loaded while this one waited
            if loaded is None or not self._is_good(loaded, key):
                at = self._monotonic()
                loaded = self._loaded = _Loaded(self._load(), key, at)
            return loaded.value
        finally:
            self._turn.release()

    def _is_good(self, loaded: _Loaded[T], key: object) -> bool:
        return loaded.key == key and self._age_s(loaded) < self._keep_s

    def _age_s(self, loaded: _Loaded[T]) -> float:
        return self._monotonic() - loaded.at
