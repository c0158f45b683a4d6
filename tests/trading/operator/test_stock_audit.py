import pytest

from common.rows import encode_row
from protos import catalog_pb2
from tests.trading.fake_cluster import CATALOG, FakeCluster
from trading.operator.stock_audit import StockAudit

TIME = "2031-04-09T13:05:22.104511Z"


def rows(*trades: tuple[str, str, int]) -> bytes:
    lines = [
        encode_row(
            transaction_number=number,
            epoch=1,
            stock_name=name,
            order_type=kind,
            quantity=quantity,
            price_cents=100,
            account="",
            idempotency_key=f"k{number}",
            created_at=TIME,
            prev_chain=0,
        )[0]
        for number, (name, kind, quantity) in enumerate(trades, start=1)
    ]
    return b"".join(lines)


def stock(name: str, initial: int, quantity: int) -> catalog_pb2.Stock:
    return catalog_pb2.Stock(name=name, price_cents=100, initial_quantity=initial, quantity=quantity)


def audited(data: bytes, *stocks: catalog_pb2.Stock, as_of: int, pages: int = 1) -> StockAudit:
    cluster = FakeCluster()
    cluster.catalog.last_number = as_of
    cluster.catalog.stocks = {one.name: one for one in stocks}
    audit = StockAudit()
    assert cluster.network.run(audit.read_stocks(CATALOG)) == as_of
    lines = data.splitlines(keepends=True)
    size = -(-len(lines) // pages)
    for first in range(0, len(lines), size):
        audit.take(b"".join(lines[first : first + size]), first)
    return audit


DATA = rows(("A", "buy", 40), ("B", "sell", 7), ("A", "sell", 10), ("A", "buy", 70))


@pytest.mark.parametrize("pages", [1, 2, 4])
def test_what_adds_up_has_no_faults(pages):
    audit = audited(DATA, stock("A", 100, 0), stock("B", 0, 7), stock("C", 5, 5), as_of=4, pages=pages)
    assert (audit.stock_count, audit.faults()) == (3, [])


def test_orders_after_a_stock_was_read_do_not_count_for_it():
    assert audited(DATA, stock("A", 100, 70), stock("B", 0, 7), as_of=3).faults() == []


def test_a_quantity_that_does_not_follow_is_a_fault():
    assert audited(DATA, stock("A", 100, 1), stock("B", 0, 7), as_of=4).faults() == [
        "A: initial + sells - buys is 0 at order 4, the catalog has 1"
    ]


def test_shares_that_were_not_there_are_a_fault():
    faults = audited(DATA, stock("A", 30, -70), stock("B", 0, 7), as_of=4).faults()
    assert faults[0] == "A: -10 shares at order 1"


def test_an_order_of_no_stock_is_a_fault_unless_the_stock_may_be_newer_than_the_list():
    assert audited(DATA, stock("A", 100, 0), as_of=4).faults() == ["B: order 2 is of no stock"]
    assert audited(DATA, stock("A", 100, 60), as_of=1).faults() == []
