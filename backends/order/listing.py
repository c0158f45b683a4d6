"""Lists of orders: filters over the log's bytes, a bounded number of rows a call."""

import re
from collections.abc import Iterator

from backends.checks import check_account, check_idempotency_key, check_stock_name, check_within, order_type_name
from backends.failures import InvalidArgument
from backends.order.model import order_from_row
from backends.order.store import OrderStore
from common.bounds import MAX_NUMBER, MAX_PAGE, TIME
from common.rows import parse_row
from protos import catalog_pb2, order_pb2

CHUNK_ROWS = 4_096
# Some 30 ms of scanning: a sparse filter gives short pages with a place to go on, not a call that keeps the processor
# from the order path.
MAX_SCANNED_ROWS = 20_000


def list_orders(store: OrderStore, request: order_pb2.ListOrdersRequest) -> order_pb2.ListOrdersResponse:
    """Return the page of the orders held that match the request.

    Unfiltered, the cost does not depend on the place in the log. Filters are one regular expression over the rows'
    bytes; at most MAX_SCANNED_ROWS rows are looked at, then the page ends early with a `resume_number`.

    Raises:
        InvalidArgument: a filter is malformed or limit is not within 1 to 500.
    """
    _check(request)
    last_number = store.last_number
    response = order_pb2.ListOrdersResponse(last_number=last_number)
    first, last = _bounds(store, request, last_number)
    pattern = _pattern(request)
    scanned = 0
    for chunk_first, chunk_last in _chunks(first, last, request.descending):
        rows = pattern.findall(store.read(chunk_first, chunk_last))
        for row in reversed(rows) if request.descending else rows:
            order = order_from_row(parse_row(row))
            if len(response.orders) == request.limit:
                response.resume_number = response.orders[-1].transaction_number
                return response
            response.orders.append(order)
        scanned += chunk_last - chunk_first + 1
        if scanned >= MAX_SCANNED_ROWS and (chunk_first > first if request.descending else chunk_last < last):
            response.resume_number = chunk_first if request.descending else chunk_last
            return response
    return response


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
        check_stock_name(name)
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


def _bounds(store: OrderStore, request: order_pb2.ListOrdersRequest, last_number: int) -> tuple[int, int]:
    """Return the first and the last number that can match; last is below first when none can."""
    first, last = request.after_number + 1, last_number
    if request.before_number:
        last = min(last, request.before_number - 1)
    if request.after_time:
        first = max(first, _first_not_before(store, last_number, request.after_time, inclusive=False))
    if request.until_time:
        last = min(last, _first_not_before(store, last_number, request.until_time, inclusive=True) - 1)
    return first, last


def _first_not_before(store: OrderStore, last_number: int, time: str, *, inclusive: bool) -> int:
    """Return the first number made at or after `time` (after it, if not inclusive), by bisection.

    It may be last_number + 1. Times never fall as numbers rise, and their texts compare as they do.
    """
    low, high = 1, last_number + 1
    while low < high:
        middle = (low + high) // 2
        created_at = parse_row(store.read(middle, middle)).created_at
        if created_at > time or (inclusive and created_at == time):
            high = middle
        else:
            low = middle + 1
    return low


def _chunks(first: int, last: int, descending: bool) -> Iterator[tuple[int, int]]:
    """Yield the ranges of numbers to look at, nearest first; small ones first, as most pages end soon."""
    size = 64
    while first <= last:
        if descending:
            yield max(first, last - size + 1), last
            last -= size
        else:
            yield first, min(last, first + size - 1)
            first += size
        size = min(size * 4, CHUNK_ROWS)


def _pattern(request: order_pb2.ListOrdersRequest) -> "re.Pattern[bytes]":
    """Return what matches a whole row of the log that passes the filters; field order: common/rows.py."""
    names = b"|".join(re.escape(name.encode()) for name in request.stock_names)
    order_type = order_type_name(request.order_type).encode() if request.order_type else b""
    key = re.escape(request.idempotency_key.encode())
    account = re.escape(request.account.encode()) if request.HasField("account") else None
    anything = rb"[^,\n]*"
    fields = [
        anything,  # transaction_number
        anything,  # epoch
        rb"(?:" + names + rb")" if names else anything,
        order_type or anything,
        anything,  # quantity
        anything,  # price
        anything if account is None else account,
        key or anything,
        anything,  # created_at
        anything,  # chain
    ]
    return re.compile(rb"^" + b",".join(fields) + rb"\n", re.MULTILINE)
