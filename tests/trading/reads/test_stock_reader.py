import threading

import pytest

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.process.latch import Latch
from tests.trading.fakes import FakeMarket
from tests.trading.procedures import perform, procedure
from trading.reads.stock_cache import StockCache
from trading.reads.stock_reader import StockReader

DOWN = RpcFailure(Reason.CATALOG, "The catalog cannot be reached.")


@pytest.fixture
def own_market():
    return FakeMarket()


@pytest.fixture
def cache(clock):
    return StockCache(10, clock)


@pytest.fixture
def reader(own_market, cache, clock):
    return StockReader(procedure(own_market.look_up), cache, clock)


def test_first_read_misses_and_the_next_one_hits(reader, own_market):
    assert perform(reader.read("BlueFinch", past_cache=False)).cache == "MISS"
    assert perform(reader.read("BlueFinch", past_cache=False)).cache == "HIT"
    assert own_market.look_ups == 1


def test_read_past_the_cache_asks_the_catalog_and_leaves_the_cache_alone(reader, own_market):
    perform(reader.read("BlueFinch", past_cache=False))
    own_market.stocks["BlueFinch"] = own_market.stocks["BlueFinch"]._replace(quantity=7)
    read = perform(reader.read("BlueFinch", past_cache=True))
    assert (read.stock.quantity, read.cache) == (7, "BYPASS")
    assert perform(reader.read("BlueFinch", past_cache=False)).cache == "HIT"


def test_without_a_cache_every_read_asks(own_market):
    reader = StockReader(procedure(own_market.look_up), None)
    assert [perform(reader.read("BlueFinch", past_cache=False)).cache for _ in range(2)] == ["BYPASS", "BYPASS"]
    reader.forget("BlueFinch")
    assert own_market.look_ups == 2


def test_old_data_is_never_given_when_the_catalog_is_down(reader, own_market, clock):
    perform(reader.read("BlueFinch", past_cache=False))
    own_market.failure = DOWN
    assert perform(reader.read("BlueFinch", past_cache=False)).cache == "HIT"
    clock.now += 1.1
    with pytest.raises(RpcFailure, match="CATALOG: "):
        perform(reader.read("BlueFinch", past_cache=False))


def test_unknown_stock_is_not_kept(reader, own_market):
    for _ in range(2):
        with pytest.raises(RpcFailure, match="UNKNOWN_STOCK"):
            perform(reader.read("NoSuch", past_cache=False))
    assert own_market.look_ups == 2


def test_forgotten_stock_is_asked_again(reader, own_market):
    perform(reader.read("BlueFinch", past_cache=False))
    reader.forget("BlueFinch")
    assert perform(reader.read("BlueFinch", past_cache=False)).cache == "MISS"


def test_reader_that_joined_gets_the_failure_as_its_own(cache, clock):
    reader = StockReader(procedure(lambda name: pytest.fail("it should have joined")), cache, clock)
    fill, _ = cache.begin_fill("BlueFinch")
    joined = told_when_joined(fill)
    raised: list[RpcFailure] = []

    def read():
        try:
            perform(reader.read("BlueFinch", past_cache=False))
        except RpcFailure as failure:
            raised.append(failure)

    thread = threading.Thread(target=read)
    thread.start()
    assert joined.wait(10)
    cache.abandon_fill(fill, DOWN)
    thread.join(10)
    assert [failure.reason for failure in raised] == [Reason.CATALOG]
    assert raised[0] is not DOWN


def told_when_joined(fill):
    """Return an event that is set when a reader has joined the fill."""
    joined = threading.Event()

    class Announcing(Latch):
        def wait(self, timeout_s=None):
            joined.set()
            return super().wait(timeout_s)

    fill.done = Announcing()
    return joined


def test_reader_that_joined_a_fill_that_took_too_long_asks_for_itself(own_market, cache, clock):
    fill, _ = cache.begin_fill("BlueFinch")
    joined = told_when_joined(fill)
    reader = StockReader(procedure(own_market.look_up), cache, clock)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(perform(reader.read("BlueFinch", past_cache=False))))
    thread.start()
    assert joined.wait(10)
    clock.now += 1.5
    cache.complete_fill(fill, own_market.stocks["BlueFinch"]._replace(quantity=1))
    thread.join(10)
    assert [answer.stock.quantity for answer in answers] == [120]
