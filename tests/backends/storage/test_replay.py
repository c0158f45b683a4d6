import time
from contextlib import nullcontext

import pytest

from backends.storage.known_keys import key_of
from backends.storage.replay import Replay, ReplayFailed
from backends.storage.values import Stock
from common.bounds import MAX_STOCK_QUANTITY
from common.rows import parse_row
from tests.backends.storage.csv.log_files import make_rows


def test_checkpoint_is_compared_wherever_its_row_falls_in_a_run():
    rows = make_rows(10)
    stocks = [Stock.new("GOOGL", 1, 1000), Stock.new("T", 1, 1000)]
    for number in range(11):
        whole = Replay(stocks)
        whole.visit(b"".join(rows[:number]), 1)
        checkpoint = list(whole.stocks.values())
        for size in (1, 3, 10):
            replay = Replay(checkpoint)
            for first in range(0, 10, size):
                replay.visit(b"".join(rows[first : first + size]), first + 1)
            assert not replay.disagreements
            assert replay.last_number == 10
            assert replay.checkpoint_number == number
            checkpoint_changed = [
                *checkpoint[1:],
                Stock("GOOGL", 1, 1000, checkpoint[0].quantity + 1, checkpoint[0].last_trade),
            ]
            wrong = Replay(checkpoint_changed)
            wrong.visit(b"".join(rows), 1)
            assert list(wrong.disagreements) == ["GOOGL"]


def test_without_a_trade_everything_begins_at_zero():
    for stocks in ([], [Stock.new("T", 1, 1000)]):
        replay = Replay(stocks)
        replay.visit(b"", 1)
        assert (replay.checkpoint_number, replay.last_number, replay.last_epoch, replay.last_created_at) == (
            0,
            0,
            0,
            "",
        )
        assert (replay.disagreements, replay.traded_prices, len(replay.keys)) == ({}, {}, 0)


def test_keys_of_all_rows_and_the_last_row_are_kept():
    rows = make_rows(5)
    replay = Replay([Stock.new("GOOGL", 1, 1000), Stock.new("T", 1, 1000)])
    replay.visit(b"".join(rows[:2]), 1)
    replay.visit(b"".join(rows[2:]), 3)
    parsed = [parse_row(row) for row in rows]
    assert [replay.keys.number(key_of(row.account, row.idempotency_key)) for row in parsed] == [1, 2, 3, 4, 5]
    assert (replay.last_number, replay.last_epoch, replay.last_created_at) == (5, parsed[4].epoch, parsed[4].created_at)


def test_stock_that_nobody_trades_stays_as_it_is():
    stocks = [Stock.new("GOOGL", 415, 1000), Stock.new("T", 27, 1000), Stock.new("UNTRADED", 3, 7)]
    replay = Replay(stocks)
    replay.visit(b"".join(make_rows(3)), 1)
    assert replay.stocks["UNTRADED"] == stocks[2]
    assert {name: stock.price_cents for name, stock in replay.stocks.items()} == {"GOOGL": 415, "T": 27, "UNTRADED": 3}
    assert stocks[0] == Stock.new("GOOGL", 415, 1000)  # the checkpoint's own are not changed


def test_stock_that_is_not_as_it_was_at_the_beginning_is_told_before_any_trade():
    replay = Replay([Stock("T", 1, 1000, 999, 0)])
    assert replay.disagreements == {
        "T": "at trade 0 the rows give stock 'T' 1000 shares and last trade 0, not 999 and 0"
    }


def test_row_of_an_unknown_stock_is_named():
    with pytest.raises(ReplayFailed, match="row 3 trades stock 'T', which is not known") as caught:
        Replay([Stock.new("GOOGL", 1, 1000)]).visit(b"".join(make_rows(3)), 1)
    assert (caught.value.number, caught.value.stock_name) == (3, "T")


def test_prices_of_the_trades_above_the_checkpoint_are_noted():
    rows = make_rows(10)
    before = Replay([Stock.new("GOOGL", 1, 1000), Stock.new("T", 1, 1000)])
    before.visit(b"".join(rows[:9]), 1)
    replay = Replay(before.stocks.values())
    replay.visit(b"".join(rows), 1)
    assert replay.traded_prices == {"GOOGL": 4145}


def test_rows_are_played_fast_enough_to_start_with_a_million():
    rows = b"".join(make_rows(50_000))
    replay = Replay([Stock.new("GOOGL", 1, 10**9), Stock.new("T", 1, 10**9)])
    begun = time.process_time()
    replay.visit(rows, 1)
    assert (time.process_time() - begun) * 20 < 8
    assert len(replay.keys) == 50_000


@pytest.mark.parametrize(("too_few", "too_many"), [(0, 0), (1, 0), (0, 1)])
def test_rows_take_a_stock_to_its_bounds_and_not_beyond(too_few, too_many):
    """They sell 2 shares of GOOGL and buy 3, then sell 4 of T."""
    replay = Replay([Stock.new("GOOGL", 1, 1 - too_few), Stock.new("T", 1, MAX_STOCK_QUANTITY - 4 + too_many)])
    why = f"row 2 leaves {-too_few} shares of stock 'GOOGL'" if too_few else f"row 3 leaves {MAX_STOCK_QUANTITY + 1}"
    with pytest.raises(ReplayFailed, match=why) if too_few or too_many else nullcontext() as caught:
        replay.visit(b"".join(make_rows(3)), 1)
    if caught is not None:
        assert (caught.value.number, caught.value.stock_name) == ((2, "GOOGL") if too_few else (3, "T"))
    if not too_few and not too_many:
        assert [stock.quantity for stock in replay.stocks.values()] == [0, MAX_STOCK_QUANTITY]
