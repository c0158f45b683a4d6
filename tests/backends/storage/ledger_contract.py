"""What every engine's Ledger must do: each function tries one promise of ports.Ledger, with the catalog's own rules."""

import itertools
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from backends.catalog.decide import BatchRule
from backends.storage.known_keys import key_of
from backends.storage.ports import Ledger, StartRefused, StoreFull
from backends.storage.values import NO_EPOCH, Answer, Decision, LedgerState, Position, Stock
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.row_checks import check_rows
from common.rows import chain_seed, parse_row
from protos import catalog_pb2
from protos.catalog_pb2 import BUY, SELL
from tests.backends.storage.engines import CLUSTER, STOCKS, Engine

# However busy the machine is: only an engine that wakes nobody has it waited out.
WOKEN_WITHIN_S = 10.0
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


def ledger_that_is_new_begins_with_its_stocks(engine: Engine) -> None:
    ledger = engine.open_ledger()
    assert (ledger.cluster_id, position(ledger)) == (CLUSTER, (0, chain_seed(CLUSTER)))
    assert (ledger.health().newest, ledger.health().halted, ledger.health().stalled_s, list(ledger.epochs(10))) == (
        NO_EPOCH,
        "",
        0.0,
        [],
    )
    assert ledger.stocks_after("", 10).stocks == sorted(STOCKS, key=lambda stock: stock.name)
    assert chain_at(ledger, 0) == chain_seed(CLUSTER)
    ledger.stocks_after("", 1)


def ledger_is_open_once(engine: Engine) -> None:
    ledger = engine.open_ledger()
    with pytest.raises(StartRefused):
        engine.open_ledger()
    ledger.close()
    engine.open_ledger(stocks=()).close()


def ledger_epochs_rise_and_last(engine: Engine) -> None:
    ledger = engine.open_ledger()
    for leader_id in (3, 1, 2):
        begun = ledger.begin_epoch(leader_id, TIME, lambda _state: None)
        assert (begun.epoch, begun.position) == (ledger.health().newest, position(ledger))
    engine.cut_power()
    ledger = engine.open_ledger()
    assert [(epoch.epoch, epoch.leader_id, epoch.time) for epoch in ledger.epochs(2)] == [(2, 1, TIME), (3, 2, TIME)]
    assert ledger.begin_epoch(1, TIME, lambda _state: None).epoch.epoch == 4


def ledger_rule_of_an_epoch_sees_the_state_and_may_refuse(engine: Engine) -> None:
    ledger = engine.open_ledger()
    leader = Leader(ledger)
    leader.trade((BUY, "ACME", 1))
    seen: list[object] = []

    def refuse(state: LedgerState) -> str | None:
        seen.append((state.newest.epoch, state.position, state.chain_at(0), state.chain_at(1)))
        raise LookupError("refused")

    with pytest.raises(LookupError):
        ledger.begin_epoch(1, TIME, refuse)
    assert seen == [(1, position(ledger), chain_seed(CLUSTER), position(ledger).chain)]
    assert ledger.health().newest.epoch == 1
    leader.trade((BUY, "ACME", 1))


def ledger_that_has_lost_history_halts_for_good(engine: Engine) -> None:
    ledger = engine.open_ledger()
    leader = Leader(ledger)
    with pytest.raises(RpcFailure, match="it lost an order") as caught:
        ledger.begin_epoch(1, TIME, lambda _state: "it lost an order")
    assert caught.value.reason is Reason.HALTED
    assert "it lost an order" in ledger.health().halted
    assert ledger.health().newest.epoch == 1
    for refused in (lambda: ledger.stock("ACME"), lambda: leader.trade((BUY, "ACME", 1)), lambda: Leader(ledger)):
        with pytest.raises(RpcFailure, match="it lost an order"):
            refused()
    engine.cut_power()
    with pytest.raises(StartRefused, match="it lost an order"):
        engine.open_ledger()


def ledger_trades_become_rows_stocks_keys_and_changes(engine: Engine) -> None:
    ledger = engine.open_ledger()
    cursor = ledger.changes_since("").cursor
    answer = Leader(ledger).trade((BUY, "ACME", 30, "a"), (SELL, "T", 1), (BUY, "ACME", 71), (BUY, "NONE", 1))
    kinds = [result.WhichOneof("result") for result in answer.results]
    assert kinds == ["row", "refusal", "refusal", "refusal"]
    assert rows_of(ledger) == answer.results[0].row
    assert position(ledger) == (1, check_rows(rows_of(ledger), 0, chain_seed(CLUSTER)).last_chain)
    assert chain_at(ledger, 1) == position(ledger).chain
    assert ledger.trades_after(1, 10**6) == (position(ledger).chain, b"", 1)
    assert ledger.trades_after(2, 10**6) == (None, b"", 1)
    assert (quantity(ledger), quantity(ledger, "T")) == (70, 10**15)
    assert ledger.find_key(key_of("", "a"))[0] == 1
    assert ledger.find_key(key_of("ann", "a"))[0] == 0
    changes = ledger.changes_since(cursor)
    assert (changes.names, changes.reset) == (["ACME"], False)
    assert ledger.changes_since(changes.cursor).names == []


def ledger_trades_last(engine: Engine) -> None:
    ledger = engine.open_ledger()
    leader = Leader(ledger)
    leader.trade((BUY, "ACME", 30, "a"))
    leader.trade((SELL, "Blue.Finch", 5, "b"), (BUY, "ACME", 1, "c"))
    rows, held = rows_of(ledger), position(ledger)
    engine.cut_power()
    ledger = engine.open_ledger()
    assert (rows_of(ledger), position(ledger)) == (rows, held)
    assert (quantity(ledger), quantity(ledger, "Blue.Finch")) == (69, 5)
    assert [ledger.find_key(key_of("", key)).number for key in "abc"] == [1, 2, 3]
    stock = ledger.stock("ACME")
    assert stock is not None
    assert (stock.initial_quantity, stock.last_trade, stock.price_cents) == (100, 3, 4135)
    answer = Leader(ledger).trade((BUY, "ACME", 1, "a"), (BUY, "ACME", 1, "d"))
    assert (answer.results[0].exists, parse_row(answer.results[1].row).transaction_number) == (1, 4)


def ledger_repeats_of_a_batch_get_its_answer(engine: Engine) -> None:
    ledger = engine.open_ledger()
    leader = Leader(ledger)
    request = leader.request((BUY, "ACME", 30, "a"), (BUY, "ACME", 99))
    answer = decide(ledger, request)
    assert decide(ledger, request) == answer
    assert (quantity(ledger), position(ledger).number) == (70, 1)
    behind = leader.request((BUY, "ACME", 1))
    behind.first_number = 1
    first, second = decide(ledger, behind), decide(ledger, behind)
    assert isinstance(first, RpcFailure)
    assert str(second) == str(first)
    with pytest.raises(RpcFailure, match="comes after"):
        decide(ledger, request)


def ledger_executes_no_batch_again_after_a_restart(engine: Engine) -> None:
    ledger = engine.open_ledger()
    request = Leader(ledger).request((BUY, "ACME", 30, "a"))
    answer = decide(ledger, request)
    engine.cut_power()
    ledger = engine.open_ledger()
    # An engine that keeps its answers gives it again; one that forgets them lets no earlier epoch trade.
    try:
        assert decide(ledger, request) == answer
    except RpcFailure as failure:
        assert "was begun before" in failure.message  # noqa: PT017 - either is right
    assert (quantity(ledger), position(ledger).number) == (70, 1)


def ledger_shows_nothing_before_it_is_durable(engine: Engine) -> None:
    ledger = engine.open_ledger()
    leader = Leader(ledger)
    cursor = ledger.changes_since("").cursor
    seen: list[object] = []

    def look(_seconds: float) -> None:
        shown = (position(ledger).number, quantity(ledger), ledger.find_key(key_of("", "a")).number)
        seen.append((*shown, ledger.changes_since(cursor).names))

    ledger.on_sync = look
    leader.trade((BUY, "ACME", 30, "a"))
    assert seen == [(0, 100, 0, [])]


def ledger_rule_that_raises_changes_nothing(engine: Engine) -> None:
    ledger = engine.open_ledger()
    leader = Leader(ledger)

    class Refusing(BatchRule):
        def __call__(self, state: LedgerState) -> Decision:
            super().__call__(state)
            raise LookupError("refused")

    request = leader.request((BUY, "ACME", 1))
    with pytest.raises(LookupError):
        ledger.decide(Refusing(request, utc_now))
    assert (quantity(ledger), position(ledger).number) == (100, 0)
    assert isinstance(decide(ledger, request), catalog_pb2.UpdateStockResponse)
    assert position(ledger).number == 1


def ledger_that_is_full_makes_no_trade_and_keeps_the_answer(engine: Engine) -> None:
    ledger = engine.open_ledger()
    leader = Leader(ledger)
    leader.trade((BUY, "ACME", 1, "known"))
    engine.fill()
    request = leader.request((BUY, "ACME", 99, "new"), (BUY, "ACME", 99), (BUY, "ACME", 1, "known"))
    answer = decide(ledger, request)
    assert isinstance(answer, catalog_pb2.UpdateStockResponse)
    assert [result.refusal.reason for result in answer.results] == ["DISK_FULL", "DISK_FULL", ""]
    assert (quantity(ledger), position(ledger).number) == (99, 1)
    assert ledger.find_key(key_of("", "new")).number == 0
    engine.make_room()
    assert decide(ledger, request) == answer
    leader.trade((BUY, "ACME", 99, "new"))
    engine.cut_power()
    assert quantity(engine.open_ledger()) == 0


def ledger_that_is_full_begins_no_epoch_and_sets_no_stock(engine: Engine) -> None:
    ledger = engine.open_ledger()
    engine.fill()
    for refused in (lambda: Leader(ledger), lambda: put(ledger, Stock.new("NEW", 1, 1))):
        with pytest.raises(StoreFull):
            refused()
    assert (ledger.health().newest, ledger.stock("NEW")) == (NO_EPOCH, None)
    engine.make_room()
    put(ledger, Stock.new("NEW", 1, 1))
    assert Leader(ledger).begun.epoch.epoch == 1


def put(ledger: Ledger, stock: Stock) -> tuple[Stock, bool]:
    return ledger.put_stock(stock.name, lambda _known: stock)


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


def ledger_takes_one_of_two_leaders(engine: Engine) -> None:
    ledger = engine.open_ledger()
    old = Leader(ledger, 3)
    old_request = old.request((BUY, "ACME", 1))
    new = Leader(ledger, 2)
    with pytest.raises(RpcFailure, match="is not the newest"):
        decide(ledger, old_request)
    new.trade((BUY, "ACME", 1))
    assert position(ledger).number == 1


def ledger_that_is_closed_refuses(engine: Engine) -> None:
    ledger = engine.open_ledger()
    leader = Leader(ledger)
    ledger.start()
    ledger.close()
    ledger.close()
    for refused in (
        lambda: ledger.stock("ACME"),
        lambda: leader.trade((BUY, "ACME", 1)),
        lambda: put(ledger, STOCKS[0]),
    ):
        with pytest.raises(RpcFailure, match="stopping"):
            refused()
    assert quantity(engine.open_ledger()) == 100


LEDGER_CONTRACT: Sequence = [promise for name, promise in globals().items() if name.startswith("ledger_")]
