"""What the catalog answers to who looks stocks, keys and rows up, lists or watches them."""

import grpc
import pytest

from backends.catalog.catalog import MAX_ROWS_BYTES
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.rows import parse_row
from protos import catalog_pb2


def test_new_catalog_shows_its_stocks(desk):
    answer = desk.catalog.lookup_stock(catalog_pb2.LookupStockRequest(stock_name="ACME"))
    assert answer.stock == catalog_pb2.Stock(name="ACME", price_cents=4135, quantity=100, initial_quantity=100)
    assert answer.last_number == 0
    health = desk.health()
    assert (health.epoch, health.leader_id, health.last_number, health.halted, health.stalled) == (0, 0, 0, "", False)


@pytest.mark.parametrize("name", ["", "A C", "a/b", "ü", "x" * 10_000, "A\n"])
def test_malformed_name_is_an_invalid_argument(desk, name):
    with pytest.raises(RpcFailure) as caught:
        desk.catalog.lookup_stock(catalog_pb2.LookupStockRequest(stock_name=name))
    assert caught.value.code == grpc.StatusCode.INVALID_ARGUMENT
    assert len(caught.value.message) < 300


def test_unknown_name_is_not_found(desk):
    with pytest.raises(RpcFailure) as caught:
        desk.catalog.lookup_stock(catalog_pb2.LookupStockRequest(stock_name="NONE"))
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.NOT_FOUND, Reason.UNKNOWN_STOCK)


def test_stocks_are_listed_in_name_order_by_pages(desk):
    first = desk.catalog.list_stocks(catalog_pb2.ListStocksRequest(limit=2))
    assert [stock.name for stock in first.stocks] == ["ACME", "Blue.Finch"]
    assert first.has_more
    rest = desk.catalog.list_stocks(catalog_pb2.ListStocksRequest(after_name="Blue.Finch", limit=2))
    assert [stock.name for stock in rest.stocks] == ["T"]
    assert not rest.has_more


def test_named_stocks_are_listed_without_the_rest(desk):
    page = desk.catalog.list_stocks(catalog_pb2.ListStocksRequest(names=["T", "none", "ACME"]))
    assert [stock.name for stock in page.stocks] == ["T", "ACME"]
    assert not page.has_more


def test_a_page_of_stocks_says_as_of_which_trade_it_is(desk):
    desk.begin()
    desk.send(desk.buy("ACME", 40), desk.sell("Blue.Finch", 7))
    page = desk.catalog.list_stocks(catalog_pb2.ListStocksRequest(limit=1))
    assert page.last_number == 2
    assert (page.stocks[0].initial_quantity, page.stocks[0].quantity) == (100, 60)


def test_key_is_looked_up_by_account(desk):
    desk.begin()
    desk.send(desk.buy("ACME", 1), desk.buy("ACME", 1, idempotency_key="k", account="ann"))
    for account, key, number in (("ann", "k", 2), ("", "k", 0), ("ann", "j", 0)):
        found = desk.catalog.lookup_key(catalog_pb2.LookupKeyRequest(account=account, idempotency_key=key))
        assert (found.number, found.known_from, found.last_number) == (number, 1, 2)
    desk.restart()
    assert desk.catalog.lookup_key(catalog_pb2.LookupKeyRequest(account="ann", idempotency_key="k")).number == 2


def test_rows_are_listed_behind_a_number(desk):
    desk.begin()
    _, seed = desk.position
    rows = [result.row for result in desk.send(*[desk.buy("ACME", 1) for _ in range(5)])]
    answer = desk.rows(after=2)
    assert answer.rows == b"".join(rows[2:])
    assert answer.after_chain == parse_row(rows[1]).chain
    assert (answer.last_number, answer.cluster_id) == (5, desk.health().cluster_id)
    assert desk.rows(after=0, limit=2).rows == b"".join(rows[:2])
    assert desk.rows(after=0).after_chain == seed
    assert desk.rows(after=5).rows == b""
    with pytest.raises(RpcFailure) as caught:
        desk.rows(after=6)
    assert (caught.value.code, caught.value.metadata) == (grpc.StatusCode.OUT_OF_RANGE, {"last_number": "5"})


def test_list_of_rows_is_bounded_in_bytes(desk):
    desk.begin()
    for _ in range(9):
        desk.send(*[desk.sell("ACME", 1, account="a" * 64) for _ in range(1000)])
    answer = desk.rows()
    assert MAX_ROWS_BYTES - 300 < len(answer.rows) <= MAX_ROWS_BYTES
    assert answer.last_number == 9000


def test_watch_names_what_changed(desk):
    desk.begin()
    first = desk.watch()
    assert first.reset
    desk.send(desk.buy("ACME", 1), desk.sell("Blue.Finch", 2), desk.buy("ACME", 1))
    second = desk.watch(first.cursor)
    assert sorted(second.names) == ["ACME", "Blue.Finch"]
    assert not second.reset
    desk.set_stock(name="T", price_cents=5)
    third = desk.watch(second.cursor)
    assert list(third.names) == ["T"]
    assert not desk.watch(third.cursor).names
    desk.restart()
    assert desk.watch(third.cursor).reset


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("list_stocks", catalog_pb2.ListStocksRequest(limit=0)),
        ("list_stocks", catalog_pb2.ListStocksRequest(limit=501)),
        ("list_stocks", catalog_pb2.ListStocksRequest(after_name="a b", limit=5)),
        ("list_stocks", catalog_pb2.ListStocksRequest(names=["a b"])),
        ("list_stocks", catalog_pb2.ListStocksRequest(names=["T"] * 501)),
        ("lookup_key", catalog_pb2.LookupKeyRequest(idempotency_key="")),
        ("lookup_key", catalog_pb2.LookupKeyRequest(idempotency_key="k", account="a,b")),
        ("list_trades", catalog_pb2.ListTradesRequest(after=-1)),
        ("list_trades", catalog_pb2.ListTradesRequest(limit=-1)),
        ("watch_stocks", catalog_pb2.WatchStocksRequest(wait_ms=501)),
        ("watch_stocks", catalog_pb2.WatchStocksRequest(cursor="x" * 101)),
    ],
)
def test_field_out_of_bounds_is_an_invalid_argument(desk, method, request_):
    with pytest.raises(RpcFailure, match="INVALID_ARGUMENT"):
        getattr(desk.catalog, method)(request_)
