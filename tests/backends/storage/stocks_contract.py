"""What every engine's Ledger must show of its stocks: each function tries one promise of ports.Ledger."""

import threading
from collections.abc import Sequence

from backends.storage.values import Stock
from common.row_checks import check_rows
from common.rows import chain_seed
from protos.catalog_pb2 import BUY, SELL
from tests.backends.storage.engines import CLUSTER, Engine
from tests.backends.storage.ledger_leader import Leader, position, put, quantity, rows_of

# However busy the machine is: only an engine that wakes nobody has it waited out.
WOKEN_WITHIN_S = 10.0


def ledger_stocks_that_are_put_last_and_are_watched(engine: Engine) -> None:
    ledger = engine.open_ledger()
    Leader(ledger).trade((BUY, "ACME", 30))
    cursor = ledger.changes_since("").cursor
    known: list[Stock | None] = []

    def cheaper(stock: Stock | None) -> Stock:
        known.append(stock)
        assert stock is not None
        return Stock(stock.name, 7, stock.initial_quantity, stock.quantity, stock.last_trade)

    assert ledger.put_stock("ACME", cheaper)[1] is False
    assert put(ledger, Stock.new("Aaa", 5, 6)) == (Stock.new("Aaa", 5, 6), True)
    assert [stock.quantity for stock in known if stock is not None] == [70]
    assert sorted(ledger.changes_since(cursor).names) == ["ACME", "Aaa"]
    engine.cut_power()
    ledger = engine.open_ledger()
    assert ledger.stock("ACME") == Stock("ACME", 7, 100, 70, 1)
    assert [stock.name for stock in ledger.stocks_after("ACME", 2).stocks] == ["Aaa", "Blue.Finch"]


def ledger_lists_stocks_as_copies_of_one_moment(engine: Engine) -> None:
    ledger = engine.open_ledger()
    first = ledger.stocks_after("", 2)
    assert ([stock.name for stock in first.stocks], first.has_more, first.last_number) == (
        ["ACME", "Blue.Finch"],
        True,
        0,
    )
    rest = ledger.stocks_after("Blue.Finch", 2)
    assert ([stock.name for stock in rest.stocks], rest.has_more) == (["T"], False)
    first.stocks[0].quantity = 5
    assert quantity(ledger) == 100
    Leader(ledger).trade((BUY, "ACME", 1))
    named = ledger.stocks_named(["T", "NONE", "ACME"])
    assert ([(stock.name, stock.quantity) for stock in named.stocks], named.last_number) == (
        [("T", 10**15), ("ACME", 99)],
        1,
    )
    assert ledger.stock("NONE") is None


def ledger_cursor_of_another_run_is_reset(engine: Engine) -> None:
    ledger = engine.open_ledger()
    assert ledger.changes_since("").reset
    cursor = ledger.changes_since("").cursor
    assert not ledger.changes_since(cursor).reset
    put(ledger, Stock.new("NEW", 1, 1))
    engine.cut_power()
    ledger = engine.open_ledger()
    # An engine whose cursors outlast the process tells the change, another one that any stock may have changed.
    changes = ledger.changes_since(cursor)
    assert changes.reset or changes.names == ["NEW"]


def ledger_wakes_those_who_wait_for_a_change(engine: Engine) -> None:
    ledger = engine.open_ledger()
    cursor = ledger.changes_since("").cursor
    ledger.wait_for_change(cursor, 0.01)
    waiting = threading.Thread(target=ledger.wait_for_change, args=(cursor, 30.0), daemon=True)
    waiting.start()
    put(ledger, Stock.new("NEW", 1, 1))
    waiting.join(WOKEN_WITHIN_S)
    assert not waiting.is_alive()


def ledger_is_one_truth_for_many(engine: Engine) -> None:
    ledger = engine.open_ledger()
    leader = Leader(ledger)
    wrong: list[object] = []
    has_ended = threading.Event()

    def look() -> None:
        while not has_ended.is_set():
            page = ledger.stocks_named(["ACME", "Blue.Finch"])
            acme, finch = page.stocks
            # Every batch takes one share of the one and adds one of the other.
            if (100 - acme.quantity, finch.quantity) != (page.last_number // 2, page.last_number // 2):
                wrong.append(page)
            if position(ledger).number < page.last_number:
                wrong.append(("position", page.last_number))

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(30):
        leader.trade((BUY, "ACME", 1), (SELL, "Blue.Finch", 1))
    has_ended.set()
    for reader in readers:
        reader.join(10)
    assert wrong == []
    assert check_rows(rows_of(ledger), 0, chain_seed(CLUSTER)).last_number == 60


STOCKS_CONTRACT: Sequence = [promise for name, promise in globals().items() if name.startswith("ledger_")]
