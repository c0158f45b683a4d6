"""The bounds of requests to the catalog: the least and the most are taken, what is beyond is refused by its name."""

from collections.abc import Callable
from typing import Any

import pytest

from backends.catalog import requests
from backends.failures import InvalidArgument
from backends.storage.values import Stock
from protos import catalog_pb2

MAX_NUMBER = 2**53 - 1


def list_stocks(limit: int) -> catalog_pb2.ListStocksRequest:
    return catalog_pb2.ListStocksRequest(limit=limit)


def list_named(count: int) -> catalog_pb2.ListStocksRequest:
    return catalog_pb2.ListStocksRequest(names=["ACME"] * count)


def update(**fields: int) -> catalog_pb2.UpdateStockRequest:
    trades = [catalog_pb2.NewOrder()] * fields.pop("count", 1)
    return catalog_pb2.UpdateStockRequest(**{"epoch": 1, "batch_seq": 1, "first_number": 1, **fields}, trades=trades)


def begin(*, leader_id: int = 1, **fields: Any) -> catalog_pb2.BeginEpochRequest:
    return catalog_pb2.BeginEpochRequest(leader_id=leader_id, **fields)


def set_stock(**fields: int) -> catalog_pb2.SetStockRequest:
    return catalog_pb2.SetStockRequest(**{"price_cents": 1, **fields}, name="ACME")


Make = Callable[[int], Any]
BOUNDS: list[tuple[Callable[[Any], None], Make, str, int, int]] = [
    (requests.check_list_stocks, list_stocks, "limit", 1, 500),
    (requests.check_list_stocks, list_named, "number of names", 1, 500),
    (requests.check_update, lambda n: update(epoch=n), "epoch", 1, MAX_NUMBER),
    (requests.check_update, lambda n: update(batch_seq=n), "batch_seq", 1, MAX_NUMBER),
    (requests.check_update, lambda n: update(first_number=n), "first_number", 1, MAX_NUMBER),
    (requests.check_update, lambda n: update(count=n), "number of trades", 1, 1000),
    (requests.check_begin_epoch, lambda n: begin(leader_id=n), "leader_id", 1, 1000),
    (requests.check_begin_epoch, lambda n: begin(expected_epoch=n), "expected_epoch", 0, MAX_NUMBER),
    (requests.check_begin_epoch, lambda n: begin(number=n), "number", 0, MAX_NUMBER),
    (requests.check_begin_epoch, lambda n: begin(holder_id=n), "holder_id", 0, 1000),
    (requests.check_list_trades, lambda n: catalog_pb2.ListTradesRequest(after=n), "after", 0, MAX_NUMBER),
    (requests.check_list_trades, lambda n: catalog_pb2.ListTradesRequest(limit=n), "limit", 0, 2**31 - 1),
    (requests.check_list_epochs, lambda n: catalog_pb2.ListEpochsRequest(limit=n), "limit", 1, 1000),
    (requests.check_watch, lambda n: catalog_pb2.WatchStocksRequest(wait_ms=n), "wait_ms", 0, 500),
    (requests.check_watch, lambda n: catalog_pb2.WatchStocksRequest(cursor="x" * n), "length of cursor", 0, 100),
    (requests.check_set_stock, lambda n: set_stock(price_cents=n), "price_cents", 1, 10**11),
    (requests.check_set_stock, lambda n: set_stock(initial_quantity=n), "initial_quantity", 0, 10**15),
]


@pytest.mark.parametrize(("check", "make", "field", "least", "most"), BOUNDS)
def test_bounds_are_taken(check, make, field, least, most):
    check(make(least))
    check(make(most))


def beyond_bounds():
    """Yield each bound with a value beyond it that the field can hold."""
    for check, make, field, least, most in BOUNDS:
        values = {least - 1, most + 1} - ({-1} if field == "length of cursor" else set())
        values -= {0} if field == "number of names" else {2**31}  # no names: a page by its limit
        yield from (
            (check, make, value, f"{field} {value} is not within {least} to {most}") for value in sorted(values)
        )


@pytest.mark.parametrize(("check", "make", "value", "said"), list(beyond_bounds()))
def test_what_is_beyond_is_refused_by_name_and_value(check, make, value, said):
    with pytest.raises(InvalidArgument) as caught:
        check(make(value))
    assert caught.value.message == said


@pytest.mark.parametrize(
    ("check", "request_"),
    [
        (requests.check_lookup, catalog_pb2.LookupStockRequest(stock_name="A B")),
        (requests.check_list_stocks, catalog_pb2.ListStocksRequest(names=["ACME", "A B"])),
        (requests.check_list_stocks, catalog_pb2.ListStocksRequest(after_name="A B", limit=1)),
        (requests.check_set_stock, catalog_pb2.SetStockRequest(name="A B", price_cents=1)),
    ],
)
def test_name_that_no_stock_can_have_is_refused(check, request_):
    with pytest.raises(InvalidArgument, match="stock_name 'A B'"):
        check(request_)


def test_new_stock_needs_its_first_quantity_and_a_known_one_keeps_it():
    known = Stock("ACME", 100, 7, 3, 2)
    priced = requests.stock_to_be(known, catalog_pb2.SetStockRequest(name="ACME", price_cents=5, initial_quantity=7))
    assert priced == Stock("ACME", 5, 7, 3, 2)
    with pytest.raises(InvalidArgument) as new:
        requests.stock_to_be(None, catalog_pb2.SetStockRequest(name="NEW", price_cents=5))
    assert new.value.message == "stock 'NEW' is new: initial_quantity is needed"
    with pytest.raises(InvalidArgument) as changed:
        requests.stock_to_be(known, catalog_pb2.SetStockRequest(name="ACME", price_cents=5, initial_quantity=8))
    assert changed.value.message == (
        "stock 'ACME' began with 7 shares, not 8; the quantity of a known stock changes by trades only"
    )
