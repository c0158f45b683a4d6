"""A map that remembers at least its newest entries, at a fixed cost."""

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class RecentMap(Generic[K, V]):
    """Remembers at least the last `at_least` entries that were set, and at most twice as many.

    Two generations: when the younger one is full it becomes the older one, and the older one is dropped whole. So
    nothing is kept per entry but its place in a dict, and no single call pays for the eviction of many. Not
    thread-safe: the owner's lock guards it.
    """

    def __init__(self, at_least: int) -> None:
        self._at_least = at_least
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """Return the value last set for the key, None if it is not remembered."""
        value = self._young.get(key)
        return value if value is not None else self._old.get(key)

    def set(self, key: K, value: V) -> None:
        """Remember the value for the key."""
        if len(self._young) >= self._at_least:
            self._old, self._young = self._young, {}
        self._young[key] = value

    def __len__(self) -> int:
        """Count the entries that are remembered."""
        return len(self._young) + len(self._old)
