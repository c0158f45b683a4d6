"""Reading one stock, through the cache or past it."""

import time
from collections.abc import Callable
from typing import NamedTuple

from django.conf import settings

from common.calls.failures import RpcFailure
from common.calls.steps import Steps
from common.process.failpoints import failpoint
from trading.process import OncePerProcess, network
from trading.reads.catalog_client import LOOK_UP_BUDGET_S, catalog_client
from trading.reads.stock import Stock
from trading.reads.stock_cache import MOST_AGE_S, CacheCounts, StockCache
from trading.reads.stock_watch import StockWatch

HIT = "HIT"
MISS = "MISS"
BYPASS = "BYPASS"


class StockRead(NamedTuple):
    """A stock, and how the cache took part: HIT, MISS or BYPASS."""

    stock: Stock
    cache: str


class StockReader:
    """Reads stocks for any number of threads. Without a cache every read is a question to the catalog."""

    def __init__(
        self,
        look_up: Callable[[str], Steps[Stock]],
        cache: StockCache | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look_up = look_up
        self._cache = cache
        self._monotonic = monotonic

    def read(self, name: str, *, past_cache: bool) -> Steps[StockRead]:
        """Return the stock; with `past_cache` as it is at the catalog now, else as it was in the last second.

        Raises:
            RpcFailure: UNKNOWN_STOCK, CATALOG, HALTED: never old data.
        """
        cache = self._cache
        if cache is None or past_cache:
            return StockRead((yield from self._look_up(name)), BYPASS)
        stock = cache.look(name)
        if stock is not None:
            return StockRead(stock, HIT)
        fill, is_mine = cache.begin_fill(name)
        if not is_mine:
            joined = yield from fill.join(LOOK_UP_BUDGET_S)
            if joined is not None and self._monotonic() - fill.sent_at <= MOST_AGE_S:
                return StockRead(joined, MISS)
            return StockRead((yield from self._look_up(name)), MISS)
        try:
            stock = yield from self._look_up(name)
        except BaseException as failure:
            cache.abandon_fill(fill, failure if isinstance(failure, RpcFailure) else None)
            raise
        failpoint("cache-filling")
        cache.complete_fill(fill, stock)
        return StockRead(stock, MISS)

    def forget(self, name: str) -> None:
        """Make every read that begins from now on ask the catalog about this stock, or join one that does."""
        if self._cache is not None:
            self._cache.invalidate([name])


class _Stocks:
    """The process's cache and reader, and the thread that follows the catalog, from the first read on."""

    def __init__(self) -> None:
        size = settings.STOCK_CACHE_SIZE
        self.cache = StockCache(size, time.monotonic) if size else None
        self.reader = StockReader(catalog_client().look_up, self.cache)


def _start_watch() -> StockWatch | None:
    cache = _stocks().cache
    if cache is None:
        return None
    return StockWatch(catalog_client().watch, cache, time.monotonic).start(network().run)


_stocks = OncePerProcess(_Stocks)
_watch = OncePerProcess(_start_watch)


def stock_reader() -> StockReader:
    """Return the process's reader, and see that the catalog's changes are followed."""
    _watch()
    return _stocks().reader


def forget_stock(name: str) -> None:
    """Drop a stock from the process's cache and cancel its fills: its quantity has changed, or may have."""
    _stocks().reader.forget(name)


def stock_cache_counts() -> CacheCounts | None:
    """Return what the process's cache has done; None if it is switched off."""
    cache = _stocks().cache
    return None if cache is None else cache.counts()
