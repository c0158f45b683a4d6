"""The thread that follows the catalog's changes for the stock cache."""

import threading
from collections.abc import Callable

import structlog

from common.failures import RpcFailure
from protos import catalog_pb2
from trading.cache import StockCache

WAIT_MS = 500
# After a failed call. The cache answers nothing that is older than a second, so there is no hurry.
PAUSE_S = 0.2

log = structlog.get_logger()


class StockWatch:
    """Asks the catalog, over and over, what changed, and tells the cache. One thread, made by `start`."""

    def __init__(
        self,
        watch: Callable[[str, int], catalog_pb2.WatchStocksResponse],
        cache: StockCache,
        monotonic: Callable[[], float],
    ) -> None:
        """`watch(cursor, wait_ms)` makes one WatchStocks call; `monotonic` is the cache's clock."""
        self._watch = watch
        self._cache = cache
        self._monotonic = monotonic
        self._cursor = ""
        self._is_failing = False
        self._stopped = threading.Event()

    def start(self) -> "StockWatch":
        """Watch in a daemon thread of this process until `stop`; call once.

        The first call is made here: it is answered at once, with a reset. Behind it nothing that the caller is about to
        read would be dropped again.
        """
        self._try_tick(wait_ms=0)
        threading.Thread(target=self._run, name="stock-watch", daemon=True).start()
        return self

    def stop(self) -> None:
        """End the thread after the call under way."""
        self._stopped.set()

    def tick(self, wait_ms: int = WAIT_MS) -> bool:
        """Make one call and tell the cache; return whether it was answered. Used by one thread at a time."""
        sent_at = self._monotonic()
        try:
            changes = self._watch(self._cursor, wait_ms)
        except RpcFailure as failure:
            if not self._is_failing:
                log.warning("stock changes cannot be followed", failure=str(failure))
            self._is_failing = True
            return False
        self._cache.apply_watch(changes.names, reset=changes.reset, sent_at=sent_at)
        self._cursor = changes.cursor
        if self._is_failing:
            log.info("stock changes are followed again")
        self._is_failing = False
        return True

    def _run(self) -> None:
        while not self._stopped.is_set():
            if not self._try_tick():
                self._stopped.wait(PAUSE_S)

    def _try_tick(self, wait_ms: int = WAIT_MS) -> bool:
        """As tick. A bug here must not end the thread: without it the cache keeps nothing for longer than a second."""
        try:
            return self.tick(wait_ms)
        except Exception:
            log.exception("stock watch failed")
            return False
