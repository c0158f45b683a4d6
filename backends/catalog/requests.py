"""The bounds of each request's fields, as protos/catalog.proto gives them; and the stock that a request is to make.

Every check raises InvalidArgument, naming field and value, and does nothing else.
"""

from dataclasses import replace

from backends.checks import (
    check_account,
    check_held_stock_name,
    check_idempotency_key,
    check_stock_name,
    check_within,
)
from backends.failures import InvalidArgument
from backends.storage.values import Stock
from common.bounds import (
    MAX_BATCH_ORDERS,
    MAX_NUMBER,
    MAX_PAGE,
    MAX_PRICE_CENTS,
    MAX_REPLICA_ID,
    MAX_STOCK_QUANTITY,
)
from protos import catalog_pb2

MAX_WAIT_MS = 500
MAX_EPOCHS = 1000
_MAX_CURSOR_CHARACTERS = 100
_MAX_LIMIT = 2**31 - 1


def check_lookup(request: catalog_pb2.LookupStockRequest) -> None:
    """Check a LookupStock request."""
    check_held_stock_name(request.stock_name)


def check_list_stocks(request: catalog_pb2.ListStocksRequest) -> None:
    """Check a ListStocks request."""
    if request.names:
        check_within("number of names", len(request.names), 1, MAX_PAGE)
        for name in request.names:
            check_held_stock_name(name)
        return
    if request.after_name:
        check_held_stock_name(request.after_name)
    check_within("limit", request.limit, 1, MAX_PAGE)


def check_lookup_key(request: catalog_pb2.LookupKeyRequest) -> None:
    """Check a LookupKey request."""
    check_account(request.account)
    check_idempotency_key(request.idempotency_key)


def check_update(request: catalog_pb2.UpdateStockRequest) -> None:
    """Check an UpdateStock request, but not its trades: a bad one is refused alone."""
    check_within("epoch", request.epoch, 1, MAX_NUMBER)
    check_within("batch_seq", request.batch_seq, 1, MAX_NUMBER)
    check_within("first_number", request.first_number, 1, MAX_NUMBER)
    check_within("number of trades", len(request.trades), 1, MAX_BATCH_ORDERS)


def check_begin_epoch(request: catalog_pb2.BeginEpochRequest) -> None:
    """Check a BeginEpoch request."""
    check_within("leader_id", request.leader_id, 1, MAX_REPLICA_ID)
    check_within("expected_epoch", request.expected_epoch, 0, MAX_NUMBER)
    check_within("number", request.number, 0, MAX_NUMBER)
    check_within("holder_id", request.holder_id, 0, MAX_REPLICA_ID)


def check_list_trades(request: catalog_pb2.ListTradesRequest) -> None:
    """Check a ListTrades request."""
    check_within("after", request.after, 0, MAX_NUMBER)
    check_within("limit", request.limit, 0, _MAX_LIMIT)


def check_list_epochs(request: catalog_pb2.ListEpochsRequest) -> None:
    """Check a ListEpochs request."""
    check_within("limit", request.limit, 1, MAX_EPOCHS)


def check_watch(request: catalog_pb2.WatchStocksRequest) -> None:
    """Check a WatchStocks request."""
    check_within("wait_ms", request.wait_ms, 0, MAX_WAIT_MS)
    check_within("length of cursor", len(request.cursor), 0, _MAX_CURSOR_CHARACTERS)


def check_set_stock(request: catalog_pb2.SetStockRequest) -> None:
    """Check a SetStock request."""
    check_stock_name(request.name)
    check_within("price_cents", request.price_cents, 1, MAX_PRICE_CENTS)
    if request.HasField("initial_quantity"):
        check_within("initial_quantity", request.initial_quantity, 0, MAX_STOCK_QUANTITY)


def stock_to_be(known: Stock | None, request: catalog_pb2.SetStockRequest) -> Stock:
    """Return the stock as a SetStock request wants it; `known` is the one that has its name now, if there is one.

    Raises:
        InvalidArgument: a new stock without its first quantity, or a known one with another.
    """
    if known is None:
        if not request.HasField("initial_quantity"):
            raise InvalidArgument(f"stock {request.name!r} is new: initial_quantity is needed")
        return Stock.new(request.name, request.price_cents, request.initial_quantity)
    if request.HasField("initial_quantity") and request.initial_quantity != known.initial_quantity:
        raise InvalidArgument(
            f"stock {known.name!r} began with {known.initial_quantity} shares, not {request.initial_quantity};"
            " the quantity of a known stock changes by trades only"
        )
    return replace(known, price_cents=request.price_cents)
