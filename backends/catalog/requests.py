"""The bounds of each request's fields, as protos/catalog.proto gives them.

Every function raises InvalidArgument, naming field and value, and does nothing else.
"""

from backends.catalog.model import check_name, check_price, check_stock_quantity
from backends.failures import InvalidArgument
from common.bounds import MAX_BATCH_ORDERS, MAX_NUMBER, MAX_PAGE, MAX_REPLICA_ID
from protos import catalog_pb2

MAX_WAIT_MS = 500
_MAX_CURSOR_CHARACTERS = 100
_MAX_LIMIT = 2**31 - 1


def check_lookup(request: catalog_pb2.LookupStockRequest) -> None:
    """Check a LookupStock request."""
    check_name(request.name)


def check_list_stocks(request: catalog_pb2.ListStocksRequest) -> None:
    """Check a ListStocks request."""
    if request.after_name:
        check_name(request.after_name)
    _check_within("limit", request.limit, 1, MAX_PAGE)


def check_update(request: catalog_pb2.UpdateStockRequest) -> None:
    """Check an UpdateStock request, but not its trades: a bad one is refused alone."""
    _check_within("epoch", request.epoch, 1, MAX_NUMBER)
    _check_within("batch_seq", request.batch_seq, 1, MAX_NUMBER)
    _check_within("first_number", request.first_number, 1, MAX_NUMBER)
    _check_within("number of trades", len(request.trades), 1, MAX_BATCH_ORDERS)


def check_begin_epoch(request: catalog_pb2.BeginEpochRequest) -> None:
    """Check a BeginEpoch request."""
    _check_within("leader_id", request.leader_id, 1, MAX_REPLICA_ID)
    _check_within("expected_epoch", request.expected_epoch, 0, MAX_NUMBER)
    _check_within("number", request.number, 0, MAX_NUMBER)


def check_list_trades(request: catalog_pb2.ListTradesRequest) -> None:
    """Check a ListTrades request."""
    _check_within("after", request.after, 0, MAX_NUMBER)
    _check_within("limit", request.limit, 0, _MAX_LIMIT)


def check_watch(request: catalog_pb2.WatchStocksRequest) -> None:
    """Check a WatchStocks request."""
    _check_within("wait_ms", request.wait_ms, 0, MAX_WAIT_MS)
    _check_within("length of cursor", len(request.cursor), 0, _MAX_CURSOR_CHARACTERS)


def check_set_stock(request: catalog_pb2.SetStockRequest) -> None:
    """Check a SetStock request."""
    check_name(request.name)
    check_price(request.price_cents)
    if request.HasField("initial_quantity"):
        check_stock_quantity(request.initial_quantity)


def _check_within(field: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InvalidArgument(f"{field} {value} is not within {least} to {most}")
