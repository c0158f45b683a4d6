"""What the catalog does with each message: the logic of one catalog, without gRPC, threads or clocks of its own."""

from collections.abc import Callable
from datetime import datetime

import structlog

from backends.catalog.batch import Batch
from backends.catalog.decide import BatchRule, EpochRule
from backends.catalog.requests import (
    check_begin_epoch,
    check_list_epochs,
    check_list_stocks,
    check_list_trades,
    check_lookup,
    check_lookup_key,
    check_set_stock,
    check_update,
    check_watch,
    stock_to_be,
)
from backends.storage.known_keys import key_of
from backends.storage.ports import Ledger, StoreFull
from backends.storage.values import Stock
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.rows import time_text
from protos import catalog_pb2

log = structlog.get_logger()

MAX_ROWS_BYTES = 1 << 20
# The oldest write or sync under way is older than this: the disk hangs.
STALLED_S = 2.0


class Catalog:
    """Answers for the stocks, the journal that decides every trade, and the epoch that may trade.

    One method for each RPC of protos/catalog.proto: request in, response out, RpcFailure raised. Any number of threads
    may call any of them. The writers (UpdateStock, BeginEpoch, SetStock) take turns, each for the length of its sync;
    the others never wait for a batch or a sync.

    Nothing is visible before it is durable: see Ledger.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        utc_now: Callable[[], datetime],
        on_batch: Callable[[Batch], None] = lambda _batch: None,
    ) -> None:
        """Serve a ledger. `utc_now` is aware. `on_batch` is told of each batch once it is durable."""
        self._ledger = ledger
        self._utc_now = utc_now
        self._on_batch = on_batch

    @property
    def cluster_id(self) -> str:
        """The cluster that the ledger is of."""
        return self._ledger.cluster_id

    def lookup_stock(self, request: catalog_pb2.LookupStockRequest) -> catalog_pb2.LookupStockResponse:
        """Return one stock as of the last synced trade."""
        check_lookup(request)
        stock = self._ledger.stock(request.stock_name)
        if stock is None:
            raise RpcFailure(Reason.UNKNOWN_STOCK, f"no stock is named {request.stock_name!r}")
        return catalog_pb2.LookupStockResponse(stock=_message(stock), last_number=stock.last_trade)

    def list_stocks(self, request: catalog_pb2.ListStocksRequest) -> catalog_pb2.ListStocksResponse:
        """Return a page of the stocks, or those named, all of one moment."""
        check_list_stocks(request)
        if request.names:
            page = self._ledger.stocks_named(request.names)
        else:
            page = self._ledger.stocks_after(request.after_name, request.limit)
        return catalog_pb2.ListStocksResponse(
            stocks=map(_message, page.stocks), has_more=page.has_more, last_number=page.last_number
        )

    def lookup_key(self, request: catalog_pb2.LookupKeyRequest) -> catalog_pb2.LookupKeyResponse:
        """Return the number of the trade that an account's key made."""
        check_lookup_key(request)
        found = self._ledger.find_key(key_of(request.account, request.idempotency_key))
        return catalog_pb2.LookupKeyResponse(**found._asdict())

    def update_stock(self, request: catalog_pb2.UpdateStockRequest) -> catalog_pb2.UpdateStockResponse:
        """Take a batch of trades; what was accepted is synced when it returns. A repeat gets the stored answer."""
        check_update(request)
        rule = BatchRule(request, self._utc_now)
        answer = self._ledger.decide(rule)
        if rule.batch is not None:
            self._on_batch(rule.batch)
        if isinstance(answer, RpcFailure):
            raise answer.with_traceback(None)  # a stored one is raised again: its traces would pile up
        return answer

    def begin_epoch(self, request: catalog_pb2.BeginEpochRequest) -> catalog_pb2.BeginEpochResponse:
        """Begin a new epoch, durably, unless the caller's log proves that this catalog lost history."""
        check_begin_epoch(request)
        rule = EpochRule(request, self.cluster_id)
        try:
            epoch, position = self._ledger.begin_epoch(request.leader_id, time_text(self._utc_now()), rule)
        except StoreFull as error:
            raise _full(error) from error
        log.info("epoch begun", epoch=epoch.epoch, leader_id=epoch.leader_id, last_number=position.number)
        return catalog_pb2.BeginEpochResponse(
            epoch=epoch.epoch, last_number=position.number, last_chain=position.chain, cluster_id=self.cluster_id
        )

    def list_trades(self, request: catalog_pb2.ListTradesRequest) -> catalog_pb2.ListTradesResponse:
        """Return rows of the journal above a number."""
        check_list_trades(request)
        page = self._ledger.trades_after(request.after, MAX_ROWS_BYTES, request.limit)
        if page.after_chain is None:
            raise RpcFailure(
                Reason.OUT_OF_RANGE,
                f"no trade above {request.after}: the last one is {page.last_number}",
                metadata={"last_number": page.last_number},
            )
        return catalog_pb2.ListTradesResponse(
            after_chain=page.after_chain, rows=page.rows, last_number=page.last_number, cluster_id=self.cluster_id
        )

    def list_epochs(self, request: catalog_pb2.ListEpochsRequest) -> catalog_pb2.ListEpochsResponse:
        """Return the newest leaderships, oldest first."""
        check_list_epochs(request)
        epochs = self._ledger.epochs(request.limit)
        return catalog_pb2.ListEpochsResponse(epochs=[catalog_pb2.Epoch(**epoch._asdict()) for epoch in epochs])

    def watch_stocks(self, request: catalog_pb2.WatchStocksRequest) -> catalog_pb2.WatchStocksResponse:
        """Return the names that changed since the cursor, at once; the waiting is the servicer's."""
        check_watch(request)
        names, cursor, reset = self._ledger.changes_since(request.cursor)
        return catalog_pb2.WatchStocksResponse(names=names, cursor=cursor, reset=reset)

    def wait_for_change(self, cursor: str, timeout_s: float) -> None:
        """Wait until `watch_stocks` has something to tell about this cursor, at most so long."""
        self._ledger.wait_for_change(cursor, timeout_s)

    def set_stock(self, request: catalog_pb2.SetStockRequest) -> catalog_pb2.SetStockResponse:
        """Give a stock another price, or make a new one; on stable storage and watched when it returns."""
        check_set_stock(request)
        before: list[Stock | None] = []

        def rule(known: Stock | None) -> Stock:
            before[:] = [known]
            return stock_to_be(known, request)

        try:
            stock, is_new = self._ledger.put_stock(request.name, rule)
        except StoreFull as error:
            raise _full(error) from error
        if before != [stock]:
            log.info("stock set", name=stock.name, price_cents=stock.price_cents, created=is_new)
        return catalog_pb2.SetStockResponse(stock=_message(stock), created=is_new)

    def health_check(self, _request: catalog_pb2.CatalogHealthRequest) -> catalog_pb2.CatalogHealthResponse:
        """Return who may trade and how far the journal is. Never waits for a batch or a sync."""
        health = self._ledger.health()
        return catalog_pb2.CatalogHealthResponse(
            epoch=health.newest.epoch,
            leader_id=health.newest.leader_id,
            last_number=health.position.number,
            last_chain=health.position.chain,
            stalled=health.stalled_s > STALLED_S,
            halted=health.halted,
            cluster_id=self.cluster_id,
            findings=health.findings,
        )


def _message(stock: Stock) -> catalog_pb2.Stock:
    return catalog_pb2.Stock(
        name=stock.name,
        price_cents=stock.price_cents,
        quantity=stock.quantity,
        initial_quantity=stock.initial_quantity,
    )


def _full(error: StoreFull) -> RpcFailure:
    """Return the refusal of a change that there is no room for."""
    log.warning("the store is full", error=str(error))
    return RpcFailure(Reason.DISK_FULL, "the catalog's disk is full")
