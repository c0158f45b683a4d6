"""The catalog's RPCs: each hands its message to the catalog; a refusal becomes a status here."""

import logging

import grpc
import structlog

from backends.catalog.catalog import Catalog
from common.calls.reasons import Reason
from common.calls.statuses import aborting_on_failures
from common.calls.waiting_room import WAITING_COUNT, WaitingRoom
from common.rows import parse_row
from protos import catalog_pb2, catalog_pb2_grpc

log = structlog.get_logger()

WRITER_COUNT = 16


class CatalogServicer(catalog_pb2_grpc.CatalogServiceServicer):
    """Serves one catalog. Callers of WatchStocks wait here, in a limited number of threads."""

    def __init__(self, catalog: Catalog, *, watch_places: int = WAITING_COUNT) -> None:
        self._catalog = catalog
        self._watchers = WaitingRoom(watch_places, Reason.TOO_MANY_WATCHES)
        # Writers take turns; while a sync hangs, repeats of a batch must not fill the server's threads.
        self._writers = WaitingRoom(WRITER_COUNT, Reason.TOO_MANY_WRITERS)

    def LookupStock(
        self, request: catalog_pb2.LookupStockRequest, context: grpc.ServicerContext
    ) -> catalog_pb2.LookupStockResponse:
        with aborting_on_failures(context):
            return self._catalog.lookup_stock(request)

    def ListStocks(
        self, request: catalog_pb2.ListStocksRequest, context: grpc.ServicerContext
    ) -> catalog_pb2.ListStocksResponse:
        with aborting_on_failures(context):
            return self._catalog.list_stocks(request)

    def LookupKey(
        self, request: catalog_pb2.LookupKeyRequest, context: grpc.ServicerContext
    ) -> catalog_pb2.LookupKeyResponse:
        with aborting_on_failures(context):
            return self._catalog.lookup_key(request)

    def UpdateStock(
        self, request: catalog_pb2.UpdateStockRequest, context: grpc.ServicerContext
    ) -> catalog_pb2.UpdateStockResponse:
        with aborting_on_failures(context), self._writers.place():
            response = self._catalog.update_stock(request)
            _log_trades(request, response)
            return response

    def BeginEpoch(
        self, request: catalog_pb2.BeginEpochRequest, context: grpc.ServicerContext
    ) -> catalog_pb2.BeginEpochResponse:
        with aborting_on_failures(context), self._writers.place():
            return self._catalog.begin_epoch(request)

    def ListTrades(
        self, request: catalog_pb2.ListTradesRequest, context: grpc.ServicerContext
    ) -> catalog_pb2.ListTradesResponse:
        with aborting_on_failures(context):
            return self._catalog.list_trades(request)

    def ListEpochs(
        self, request: catalog_pb2.ListEpochsRequest, context: grpc.ServicerContext
    ) -> catalog_pb2.ListEpochsResponse:
        with aborting_on_failures(context):
            return self._catalog.list_epochs(request)

    def WatchStocks(
        self, request: catalog_pb2.WatchStocksRequest, context: grpc.ServicerContext
    ) -> catalog_pb2.WatchStocksResponse:
        with aborting_on_failures(context):
            response = self._catalog.watch_stocks(request)
            if response.names or response.reset or not request.wait_ms:
                return response
            with self._watchers.place():
                self._catalog.wait_for_change(request.cursor, request.wait_ms / 1000)
            # Asked again, not answered from here: the catalog may have halted meanwhile.
            return self._catalog.watch_stocks(request)

    def SetStock(
        self, request: catalog_pb2.SetStockRequest, context: grpc.ServicerContext
    ) -> catalog_pb2.SetStockResponse:
        with aborting_on_failures(context), self._writers.place():
            return self._catalog.set_stock(request)

    def HealthCheck(
        self, request: catalog_pb2.CatalogHealthRequest, context: grpc.ServicerContext
    ) -> catalog_pb2.CatalogHealthResponse:
        with aborting_on_failures(context):
            return self._catalog.health_check(request)


def _log_trades(request: catalog_pb2.UpdateStockRequest, response: catalog_pb2.UpdateStockResponse) -> None:
    """Log, at the level debug alone, what became of each trade."""
    if not log.is_enabled_for(logging.DEBUG):
        return
    for trade, result in zip(request.trades, response.results, strict=True):
        log.debug(
            "trade answered",
            request_id=trade.request_id[:64],
            idempotency_key=trade.idempotency_key,
            transaction_number=(parse_row(result.row).transaction_number if result.row else result.exists) or None,
            reason=result.refusal.reason or None,
        )
