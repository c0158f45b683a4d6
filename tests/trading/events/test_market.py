"""Orders and stocks of a made-up catalog as events."""

import json
from collections.abc import Sequence

import pytest

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import catalog_pb2, order_pb2
from trading.events import market
from trading.events.market import MarketSource
from trading.events.ring import Event
from trading.reads.stock import Stock


class Exchange:
    """A catalog with its orders; `failing` are the calls that fail."""

    def __init__(self) -> None:
        self.orders: list[order_pb2.Order] = []
        self.changed: set[str] = set()
        self.reset = True
        self.failing: set[str] = set()
        self.events: list[Event] = []
        self.waited: list[int] = []
        self.page_rows = 500
        self.source = MarketSource(self.watch, self.list_orders, self.read_stocks, self.events.extend)

    def trade(self, *names: str) -> None:
        for name in names:
            self.orders.append(
                order_pb2.Order(
                    transaction_number=len(self.orders) + 1,
                    stock_name=name,
                    order_type=catalog_pb2.BUY,
                    quantity=1,
                    price_cents=4135,
                    account="ann",
                    idempotency_key="k",
                    created_at="2031-04-09T13:05:22.104511Z",
                )
            )
            self.changed.add(name)

    def watch(self, cursor: str, wait_ms: int) -> catalog_pb2.WatchStocksResponse:
        self._fail("watch")
        self.waited.append(wait_ms)
        names, self.changed = self.changed, set()
        reset, self.reset = self.reset, False
        return catalog_pb2.WatchStocksResponse(names=[] if reset else names, cursor="c", reset=reset)

    def list_orders(self, request: order_pb2.ListOrdersRequest) -> order_pb2.ListOrdersResponse:
        self._fail("orders")
        held = self.orders[::-1] if request.descending else self.orders[request.after_number :]
        page = held[: min(request.limit, self.page_rows)]
        resume = page[-1].transaction_number if len(page) < len(held) else 0
        return order_pb2.ListOrdersResponse(orders=page, last_number=len(self.orders), resume_number=resume)

    def read_stocks(self, names: Sequence[str]) -> list[Stock]:
        self._fail("stocks")
        return [Stock(name, 4135, 7) for name in names]

    def seen(self) -> list[object]:
        """The numbers of the orders, the names of the stocks, and the resets among the events, in their order."""
        told = [(event, json.loads(event.data)) for event in self.events]
        return [data.get("number") or data.get("name") or sorted(event.types) for event, data in told]

    def _fail(self, call: str) -> None:
        if call in self.failing:
            raise RpcFailure(Reason.NO_ANSWER, "no answer")


@pytest.fixture
def exchange() -> Exchange:
    exchange = Exchange()
    exchange.trade("OLD", "OLD")
    exchange.source.begin()
    return exchange


def test_orders_and_what_they_leave_become_events(exchange):
    assert exchange.source.tick() is False
    exchange.trade("ACME", "T")
    assert exchange.source.tick() is True
    assert exchange.seen() == [3, 4, "ACME", "T"]
    order, _, stock, _ = exchange.events
    assert (order.type, order.stock_name, order.account) == ("order", "ACME", "ann")
    assert json.loads(order.data)["price"] == 41.35
    assert "ann" not in order.data
    assert (stock.type, stock.stock_name, stock.account) == ("stock", "ACME", None)
    assert stock.data == '{"name":"ACME","price":41.35,"price_decimal":"41.35","quantity":7}'


def test_all_pages_are_followed(exchange):
    exchange.page_rows = 3
    exchange.trade(*["ACME"] * 10)
    exchange.source.tick()
    assert exchange.seen() == [*range(3, 13), "ACME"]


@pytest.mark.parametrize("call", ["watch", "orders", "stocks"])
def test_nothing_is_lost_when_a_call_fails(exchange, call):
    exchange.trade("ACME")
    exchange.failing = {call}
    for _tick in range(2):
        with pytest.raises(RpcFailure):
            exchange.source.tick()
        exchange.trade("T")
    exchange.failing = set()
    exchange.source.tick()
    assert sorted(map(str, exchange.seen())) == ["3", "4", "5", "ACME", "T"]
    assert exchange.source.tick() is False


def test_work_left_over_is_not_made_to_wait(exchange):
    exchange.trade("ACME")
    exchange.failing = {"stocks"}
    with pytest.raises(RpcFailure):
        exchange.source.tick()
    exchange.failing = set()
    exchange.source.tick()
    assert exchange.waited[-2:] == [market.WAIT_MS, 0]


def test_restarted_catalog_resets_stocks_but_loses_no_order(exchange):
    exchange.trade("ACME")
    exchange.reset = True
    exchange.source.tick()
    assert exchange.seen() == [["stock"], 3]


def test_too_many_missed_orders_are_left_out_with_a_reset(exchange, monkeypatch):
    monkeypatch.setattr(market, "MOST_BEHIND", 5)
    exchange.trade(*["ACME"] * 6)
    exchange.source.tick()
    assert exchange.seen() == [["order"], "ACME"]
    exchange.trade("T")
    exchange.source.tick()
    assert exchange.seen() == [["order"], "ACME", 9, "T"]
