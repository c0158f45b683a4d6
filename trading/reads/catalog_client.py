"""The frontend's only way to the catalog."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.message import Message

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Call, Pause, Steps
from common.process.config import ClusterConfig
from protos import catalog_pb2
from trading.process import OncePerProcess, cluster_config
from trading.reads.stock import Stock

LOOK_UP_BUDGET_S = 1.0
LIST_BUDGET_S = 1.5
# A refused connection comes back at once; the channel itself tries again every half second.
PAUSE_S = 0.1
# A call that cannot be answered in this time is not begun.
LEAST_TIME_S = 0.05
# Beyond what the catalog was asked to wait: its answer's way back.
WATCH_MARGIN_S = 1.0


class CatalogClient:
    """Procedures that any number of threads may run. They only read, so calls that are not answered are repeated."""

    def __init__(self, config: ClusterConfig, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._address = config.catalog
        self._monotonic = monotonic

    def look_up(self, name: str) -> Steps[Stock]:
        """Return the stock as of the last synced trade; takes LOOK_UP_BUDGET_S at most.

        Raises:
            RpcFailure: UNKNOWN_STOCK, INVALID_ARGUMENT, HALTED, CATALOG.
        """
        response: catalog_pb2.LookupStockResponse = yield from self._ask(
            catalog_pb2.LookupStockRequest(stock_name=name), LOOK_UP_BUDGET_S
        )
        return _stock(response.stock)

    def list_stocks(self, *, after_name: str, limit: int) -> Steps[tuple[list[Stock], bool]]:
        """Return at most `limit` stocks by name, from after `after_name`, and whether there are more behind them.

        Raises:
            RpcFailure: as look_up, without UNKNOWN_STOCK.
        """
        request = catalog_pb2.ListStocksRequest(after_name=after_name, limit=limit)
        response: catalog_pb2.ListStocksResponse = yield from self._ask(request, LIST_BUDGET_S)
        return [_stock(stock) for stock in response.stocks], response.has_more

    def read_stocks(self, names: Sequence[str]) -> Steps[list[Stock]]:
        """Return the stocks of these names, 1 to 500, all of one moment; a name that no stock has is left out.

        Raises:
            RpcFailure: as list_stocks.
        """
        request = catalog_pb2.ListStocksRequest(names=names)
        response: catalog_pb2.ListStocksResponse = yield from self._ask(request, LIST_BUDGET_S)
        return [_stock(stock) for stock in response.stocks]

    def watch(self, cursor: str, wait_ms: int) -> Steps[catalog_pb2.WatchStocksResponse]:
        """Make one WatchStocks call; it is not repeated.

        Raises:
            RpcFailure: UNREACHABLE, NO_ANSWER, TOO_MANY_WATCHES.
        """
        request = catalog_pb2.WatchStocksRequest(cursor=cursor, wait_ms=wait_ms)
        response: catalog_pb2.WatchStocksResponse = yield Call(self._address, request, wait_ms / 1000 + WATCH_MARGIN_S)
        return response

    def _ask(self, request: Message, budget_s: float) -> Steps[Any]:
        return ask(self._address, request, self._monotonic, self._monotonic() + budget_s)


def ask(address: str, request: Message, monotonic: Callable[[], float], deadline: float) -> Steps[Any]:
    """Return the answer to a question that only reads, asked again while nobody answers at the address.

    Raises:
        RpcFailure: what the catalog answered; CATALOG: it had not by the deadline.
    """
    while True:
        try:
            return (yield Call(address, request, max(deadline - monotonic(), LEAST_TIME_S)))
        except RpcFailure as failure:
            if failure.was_answered:
                raise
            if failure.reason is Reason.NO_ANSWER or deadline - monotonic() < PAUSE_S + LEAST_TIME_S:
                raise RpcFailure(Reason.CATALOG, _why(failure)) from failure
        yield Pause(PAUSE_S)


def _why(failure: RpcFailure) -> str:
    if failure.reason is Reason.UNREACHABLE:
        return "The catalog cannot be reached."
    return "The catalog did not answer in time."


def _stock(stock: catalog_pb2.Stock) -> Stock:
    return Stock(stock.name, stock.price_cents, stock.quantity)


catalog_client = OncePerProcess(lambda: CatalogClient(cluster_config()))
