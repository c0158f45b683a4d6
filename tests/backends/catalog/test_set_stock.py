"""The operator's changes: prices and new stocks."""

import re
import threading

import grpc
import pytest

from backends import checks
from common.bounds import HELD_STOCK_NAME
from common.calls.failures import RpcFailure
from common.rows import parse_row
from protos import catalog_pb2


def test_price_change_is_durable_and_traded_at(desk):
    desk.begin()
    desk.send(desk.buy("ACME", 1))
    answer = desk.set_stock(name="ACME", price_cents=5000)
    assert (answer.stock.price_cents, answer.stock.quantity, answer.created) == (5000, 99, False)
    assert parse_row(desk.send(desk.buy("ACME", 1))[0].row).price_cents == 5000
    desk.crash()
    desk.open()
    stock = desk.catalog.lookup_stock(catalog_pb2.LookupStockRequest(stock_name="ACME")).stock
    assert (stock.price_cents, stock.quantity) == (5000, 98)


def test_new_stock_is_durable_and_idempotent(desk):
    answer = desk.set_stock(name="Aa", price_cents=7, initial_quantity=0)
    assert (answer.stock.quantity, answer.created) == (0, True)
    assert not desk.set_stock(name="Aa", price_cents=7, initial_quantity=0).created
    desk.crash()
    desk.open()
    names = [stock.name for stock in desk.catalog.list_stocks(catalog_pb2.ListStocksRequest(limit=500)).stocks]
    assert names == ["ACME", "Aa", "Blue.Finch", "T"]


@pytest.mark.parametrize("name", [".", ".."])
def test_name_that_only_older_catalogs_gave_is_held_and_given_no_more(desk, monkeypatch, name):
    desk.begin()
    with monkeypatch.context() as older:
        older.setattr(checks, "STOCK_NAME", HELD_STOCK_NAME)
        desk.set_stock(name=name, price_cents=7, initial_quantity=5)
        assert parse_row(desk.send(desk.buy(name, 1))[0].row).stock_name == name
    desk.crash()
    desk.open()
    assert desk.catalog.lookup_stock(catalog_pb2.LookupStockRequest(stock_name=name)).stock.quantity == 4
    after = catalog_pb2.ListStocksRequest(limit=1, after_name=name)
    assert [stock.name for stock in desk.catalog.list_stocks(after).stocks] == ["ACME"]
    with pytest.raises(RpcFailure, match=f"stock_name '{re.escape(name)}' is not"):
        desk.set_stock(name=name, price_cents=8)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "NEW", "price_cents": 1},
        {"name": "ACME", "price_cents": 1, "initial_quantity": 99},
        {"name": "ACME", "price_cents": 0},
        {"name": "ACME", "price_cents": 10**11 + 1},
        {"name": "A C", "price_cents": 1, "initial_quantity": 1},
        {"name": "NEW", "price_cents": 1, "initial_quantity": -1},
        {"name": "NEW", "price_cents": 1, "initial_quantity": 10**15 + 1},
    ],
)
def test_stock_change_out_of_bounds_is_refused(desk, fields):
    with pytest.raises(RpcFailure) as caught:
        desk.set_stock(**fields)
    assert caught.value.code == grpc.StatusCode.INVALID_ARGUMENT
    assert desk.quantity("ACME") == 100


def test_stock_change_at_the_bounds_is_taken(desk):
    desk.set_stock(name="ACME", price_cents=1)
    desk.set_stock(name="NEW", price_cents=10**11, initial_quantity=10**15)
    desk.set_stock(name="EMPTY", price_cents=1, initial_quantity=0)
    desk.restart()
    assert (desk.quantity("NEW"), desk.quantity("EMPTY")) == (10**15, 0)


def test_checkpoint_beside_a_stock_change_does_not_undo_it(desk):
    """A checkpoint that waits for its turn must see the stock as it was just written."""
    put = desk.ledger._stocks.put
    checkpoint = threading.Thread(target=desk.ledger.checkpoint.write)

    def put_late(stock):
        checkpoint.start()
        checkpoint.join(0.2)  # it would take its snapshot now, if it were let
        put(stock)

    desk.ledger._stocks.put = put_late
    desk.set_stock(name="NEW", price_cents=100, initial_quantity=5)
    checkpoint.join()
    desk.crash()
    desk.open()
    assert desk.quantity("NEW") == 5
