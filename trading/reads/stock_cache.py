"""The stock cache: least recently used, never older than a second: docs/PROTOCOL.md, "Reads and the stock cache"."""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from common.calls.failures import RpcFailure
from common.rwlock import ReadWriteLock
from common.shared import Load
from trading.reads.stock import Stock

# An entry is used only while now - max(fresh, the time its own fill was sent) is at most this.
MOST_AGE_S = 1.0
# Hits that may wait to be drained by the next writer. The reader that finds so many drains them itself.
MOST_HITS = 256


class Fill(Load[Stock]):
    """One question to the catalog about a stock, on its way. Whoever began it must complete or abandon it, once.

    `sent_at` is a time of the cache's clock from before the question was sent.
    """

    def __init__(self, name: str, sent_at: float) -> None:
        super().__init__()
        self.name = name
        self.sent_at = sent_at
        self.is_cancelled = False  # guarded by the cache's write lock


class _Entry(NamedTuple):
    stock: Stock
    sent_at: float


class CacheCounts(NamedTuple):
    """What a cache has done since it was made, and how it is now.

    Attributes:
        fills_dropped: answers of the catalog that were not kept, because the stock changed meanwhile.
        watch_age_s: seconds since it last heard what changed; None before the first time.
    """

    stocks: int
    evictions: int
    fills_dropped: int
    watch_age_s: float | None


class StockCache:
    """At most `max_size` stocks. Any number of threads may use it. No RPC is made here; the clock is passed in.

    A hit changes the order of eviction, so it would be a write. To let hits run side by side under the read lock they
    are only noted there, in a bounded buffer, and the next writer drains it before it does anything else. So in one
    thread the order of eviction is exactly least recently used; between threads it is that of the notes.
    """

    def __init__(self, max_size: int, monotonic: Callable[[], float]) -> None:
        """`max_size` is at least 1; `monotonic` never goes back."""
        self._max_size = max_size
        self._monotonic = monotonic
        self._lock = ReadWriteLock()
        # Guarded by _lock: read under the read lock, changed under the write lock alone.
        self._entries: OrderedDict[str, _Entry] = OrderedDict()  # least recently used first
        self._fills: dict[str, Fill] = {}  # that may be joined; never a cancelled one
        self._cancellable: dict[str, set[Fill]] = {}  # all that are under way, by name
        self._fresh = float("-inf")
        self._evictions = 0
        self._fills_dropped = 0
        # Appended to under the read lock (deque.append is atomic), emptied under the write lock.
        self._hits: deque[str] = deque()

    def look(self, name: str) -> Stock | None:
        """Return the stock if the cache may answer for it now, else None."""
        with self._lock.read():
            entry = self._entries.get(name)
            if entry is None or self._monotonic() - max(self._fresh, entry.sent_at) > MOST_AGE_S:
                return None
            self._hits.append(name)
            is_full = len(self._hits) >= MOST_HITS
        if is_full:
            with self._lock.write():
                self._drain_hits()
        return entry.stock

    def begin_fill(self, name: str) -> tuple[Fill, bool]:
        """Return a fill for the stock, and whether it is the caller's own: then the caller sends the question now.

        Another's is joined by waiting for it. One that is cancelled, or too old to be of use, is not joined.
        """
        with self._lock.write():
            self._drain_hits()
            now = self._monotonic()
            under_way = self._fills.get(name)
            if under_way is not None and now - under_way.sent_at <= MOST_AGE_S:
                return under_way, False
            fill = self._fills[name] = Fill(name, now)
            self._cancellable.setdefault(name, set()).add(fill)
            return fill, True

    def complete_fill(self, fill: Fill, stock: Stock) -> None:
        """Hand the answer to those who joined, and keep it unless the fill was cancelled meanwhile."""
        with self._lock.write():
            self._drain_hits()
            self._forget(fill)
            if fill.is_cancelled:
                self._fills_dropped += 1
            else:
                held = self._entries.get(fill.name)
                if held is None or held.sent_at <= fill.sent_at:
                    self._entries[fill.name] = _Entry(stock, fill.sent_at)
                self._entries.move_to_end(fill.name)
                if len(self._entries) > self._max_size:
                    self._entries.popitem(last=False)
                    self._evictions += 1
        fill.end(stock)

    def abandon_fill(self, fill: Fill, failure: RpcFailure | None) -> None:
        """Tell those who joined that the catalog was not reached, or does not know the stock: nothing is kept.

        None: the one who began it failed for a reason of its own, and they must ask for themselves.
        """
        with self._lock.write():
            self._drain_hits()
            self._forget(fill)
        fill.end(failure)

    def invalidate(self, names: Iterable[str]) -> None:
        """Drop the entries of these stocks and cancel their fills under way.

        A read that begins after this returned sees nothing that was read before it was called.
        """
        with self._lock.write():
            self._drain_hits()
            self._drop(names)

    def apply_watch(self, names: Iterable[str], *, reset: bool, sent_at: float) -> None:
        """Take in an answer of WatchStocks: `names` changed, or with `reset` any stock may have.

        `sent_at` is when that call was sent: what is kept afterwards has not changed up to then.
        """
        with self._lock.write():
            self._drain_hits()
            if reset:
                self._drop({*self._entries, *self._cancellable})
            else:
                self._drop(names)
            self._fresh = max(self._fresh, sent_at)

    def names(self) -> list[str]:
        """Return the names held, the one that would be evicted first in front."""
        with self._lock.write():
            self._drain_hits()
            return list(self._entries)

    def counts(self) -> CacheCounts:
        """Return what it has done, and how it is now."""
        with self._lock.read():
            age_s = None if self._fresh == float("-inf") else self._monotonic() - self._fresh
            return CacheCounts(len(self._entries), self._evictions, self._fills_dropped, age_s)

    # The methods below are called under the write lock.

    def _drain_hits(self) -> None:
        hits = self._hits
        while hits:
            name = hits.popleft()
            if name in self._entries:
                self._entries.move_to_end(name)

    def _drop(self, names: Iterable[str]) -> None:
        for name in names:
            self._entries.pop(name, None)
            self._fills.pop(name, None)
            for fill in self._cancellable.get(name, ()):
                fill.is_cancelled = True

    def _forget(self, fill: Fill) -> None:
        if self._fills.get(fill.name) is fill:
            del self._fills[fill.name]
        under_way = self._cancellable[fill.name]
        under_way.discard(fill)
        if not under_way:
            del self._cancellable[fill.name]
