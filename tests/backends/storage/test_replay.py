import time
from contextlib import nullcontext

import pytest

from backends.storage.replay import Replay, ReplayFailed
from backends.storage.values import Stock
from common.bounds import MAX_STOCK_QUANTITY
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
    with pytest.raises(ReplayFailed, match="leaves") if too_few or too_many else nullcontext():
        replay.visit(b"".join(make_rows(3)), 1)
    if not too_few and not too_many:
        assert [stock.quantity for stock in replay.stocks.values()] == [0, MAX_STOCK_QUANTITY]
