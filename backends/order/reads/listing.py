"""Lists of orders: the request's bounds, and what it asks of the log."""

from backends.checks import check_account, check_held_stock_name, check_idempotency_key, check_within, order_type_name
from backends.failures import InvalidArgument
from backends.order.store import OrderStore
from backends.storage.values import RowQuery
from common.bounds import MAX_NUMBER, MAX_PAGE, TIME
from common.rows import order_from_row
from protos import catalog_pb2, order_pb2


def list_orders(store: OrderStore, request: order_pb2.ListOrdersRequest) -> order_pb2.ListOrdersResponse:
    """Return the page of the orders held that match the request; a bounded number of rows is looked at.

    Raises:
        InvalidArgument: a filter is malformed or limit is not within 1 to 500.
    """
    _check(request)
    page = store.query(
        RowQuery(
            limit=request.limit,
            descending=request.descending,
            after_number=request.after_number,
            before_number=request.before_number,
            after_time=request.after_time,
            until_time=request.until_time,
            stock_names=tuple(request.stock_names),
            order_type=order_type_name(request.order_type) if request.order_type else "",
            account=request.account if request.HasField("account") else None,
            idempotency_key=request.idempotency_key,
        )
    )
    return order_pb2.ListOrdersResponse(
        orders=[order_from_row(row) for row in page.rows],
        last_number=page.last_number,
        resume_number=page.resume_number,
    )


def narrow_to_key(
    request: order_pb2.ListOrdersRequest, found: catalog_pb2.LookupKeyResponse
) -> order_pb2.ListOrdersRequest:
    """Return the request bounded to where its account's key can be, by the catalog's word: one row, or the old ones."""
    narrowed = order_pb2.ListOrdersRequest()
    narrowed.CopyFrom(request)
    before = found.number + 1 if found.number else found.known_from
    narrowed.after_number = max(request.after_number, found.number - 1)
    narrowed.before_number = min(request.before_number or before, before)
    return narrowed


def _check(request: order_pb2.ListOrdersRequest) -> None:
    check_within("limit", request.limit, 1, MAX_PAGE)
    for name in request.stock_names:
        check_held_stock_name(name)
    if request.order_type:
        order_type_name(request.order_type)
    if request.idempotency_key:
        check_idempotency_key(request.idempotency_key)
    check_account(request.account)
    for field in ("after_time", "until_time"):
        if (text := getattr(request, field)) and not TIME.fullmatch(text):
            raise InvalidArgument(f"{field} {text!r} is not like 2031-04-09T13:05:22.104511Z")
    check_within("after_number", request.after_number, 0, MAX_NUMBER)
    check_within("before_number", request.before_number, 0, MAX_NUMBER)
