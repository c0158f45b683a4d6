"""Who trades at a ledger, with the catalog's own rule, and what the promises ask of it."""

import itertools
from datetime import UTC, datetime

from backends.catalog.decide import BatchRule
from backends.storage.ports import Ledger
from backends.storage.values import Answer, Position, Stock
from protos import catalog_pb2

TIME = "2031-04-09T13:05:22.104511Z"


def utc_now() -> datetime:
    return datetime(2031, 4, 9, 13, 5, 22, 104511, tzinfo=UTC)


class Leader:
    """Who trades at a ledger."""

    def __init__(self, ledger: Ledger, leader_id: int = 3) -> None:
        self.ledger = ledger
        self.begun = ledger.begin_epoch(leader_id, TIME, lambda _state: None)
        self.batch_seq = 0
        self._keys = itertools.count(1)

    def request(self, *trades: tuple[object, ...]) -> catalog_pb2.UpdateStockRequest:
        """Return the next batch; a trade is (type, name, quantity) or with its key behind."""
        self.batch_seq += 1
        number, chain = position(self.ledger)
        return catalog_pb2.UpdateStockRequest(
            epoch=self.begun.epoch.epoch,
            batch_seq=self.batch_seq,
            first_number=number + 1,
            prev_chain=chain,
            trades=[self._trade(*trade) for trade in trades],
        )

    def trade(self, *trades: tuple[object, ...]) -> catalog_pb2.UpdateStockResponse:
        answer = decide(self.ledger, self.request(*trades))
        assert isinstance(answer, catalog_pb2.UpdateStockResponse), answer
        return answer

    def _trade(self, order_type, name, quantity, key=None):
        key = key or f"epoch-{self.begun.epoch.epoch}-key-{next(self._keys)}"
        fields = {"stock_name": name, "order_type": order_type, "quantity": quantity, "idempotency_key": key}
        return catalog_pb2.UpdateStockRequest().trades.add(**fields)


def decide(ledger: Ledger, request: catalog_pb2.UpdateStockRequest) -> Answer:
    return ledger.decide(BatchRule(request, utc_now))


def quantity(ledger: Ledger, name: str = "ACME") -> int:
    stock = ledger.stock(name)
    assert stock is not None
    return stock.quantity


def position(ledger: Ledger) -> Position:
    return ledger.health().position


def chain_at(ledger: Ledger, number: int) -> int | None:
    return ledger.trades_after(number, 1).after_chain


def rows_of(ledger: Ledger) -> bytes:
    return ledger.trades_after(0, 10**6).rows


def put(ledger: Ledger, stock: Stock) -> tuple[Stock, bool]:
    return ledger.put_stock(stock.name, lambda _known: stock)
