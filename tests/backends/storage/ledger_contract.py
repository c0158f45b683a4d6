"""What every engine's Ledger must do with batches and epochs: each function tries one promise of ports.Ledger."""

from collections.abc import Sequence

import pytest

from backends.catalog.decide import BatchRule
from backends.storage.known_keys import key_of
from backends.storage.ports import StartRefused, StoreFull
from backends.storage.values import NO_EPOCH, Decision, LedgerState, Stock
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.row_checks import check_rows
from common.rows import chain_seed, parse_row
from protos import catalog_pb2
from protos.catalog_pb2 import BUY, SELL
from tests.backends.storage.engines import CLUSTER, STOCKS, Engine
from tests.backends.storage.ledger_leader import (
    TIME,
    Leader,
    chain_at,
    decide,
    position,
    put,
    quantity,
    rows_of,
    utc_now,
)


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
