"""The thread that follows the catalog's changes for the stock cache."""

import threading
from collections.abc import Callable

import structlog

from common.calls.failures import RpcFailure
from common.calls.steps import Steps, Wait
from common.process.latch import Latch
from protos import catalog_pb2
from trading.reads.stock_cache import StockCache

WAIT_MS = 500
# Between an answer and the next call: while stocks change all the time, each change would cost a call; so those of many
# orders are told in one. What another frontend traded is dropped so much later; it may be seen for a second.
SPACING_S = 0.05
# After a failed call. The cache answers nothing that is older than a second, so there is no hurry.
PAUSE_S = 0.2

log = structlog.get_logger()


class StockWatch:
    """Asks the catalog, over and over, what changed, and tells the cache."""

    def __init__(
        self,
        watch: Callable[[str, int], Steps[catalog_pb2.WatchStocksResponse]],
        cache: StockCache,
        monotonic: Callable[[], float],
    ) -> None:
        """`watch(cursor, wait_ms)` makes one WatchStocks call; `monotonic` is the cache's clock."""
        self._watch = watch
        self._cache = cache
        self._monotonic = monotonic
        self._cursor = ""
        self._is_failing = False
        self._stopped = Latch()

    def start(self, perform: Callable[[Steps[None]], None]) -> "StockWatch":
        """Watch in a daemon thread of this process until `stop`; call once. `perform` runs a procedure to its end.

        The first call is made here: it is answered at once, with a reset. Behind it nothing that the caller is about to
        read would be dropped again.
        """
        perform(self.begin())
        threading.Thread(target=perform, args=(self.follow(),), name="stock-watch", daemon=True).start()
        return self

    def stop(self) -> None:
        """End `follow` after the call under way."""
        self._stopped.set()

    def begin(self) -> Steps[None]:
        """Make the first call, which is answered at once."""
        yield from self._try_tick(wait_ms=0)

    def follow(self) -> Steps[None]:
        """Make one call after the other until `stop`, with a pause between them."""
        while not self._stopped.is_set():
            was_answered = yield from self._try_tick()
            yield Wait(self._stopped, SPACING_S if was_answered else PAUSE_S)

    def tick(self, wait_ms: int = WAIT_MS) -> Steps[bool]:
        """Make one call and tell the cache; return whether it was answered. Used by one thread at a time."""
        sent_at = self._monotonic()
        try:
            changes = yield from self._watch(self._cursor, wait_ms)
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

    def _try_tick(self, wait_ms: int = WAIT_MS) -> Steps[bool]:
        """As tick. A bug here must not end the watch: without it the cache keeps nothing for longer than a second."""
        try:
            return (yield from self.tick(wait_ms))
        except Exception:
            log.exception("stock watch failed")
            return False
