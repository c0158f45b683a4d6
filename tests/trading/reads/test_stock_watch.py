import threading

import pytest

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Wait
from protos import catalog_pb2
from tests.trading.procedures import perform, procedure
from trading.reads.stock import Stock
from trading.reads.stock_cache import MOST_AGE_S, StockCache
from trading.reads.stock_watch import PAUSE_S, SPACING_S, WAIT_MS, StockWatch

DOWN = RpcFailure(Reason.UNREACHABLE, "down")


class Feed:
    """Answers WatchStocks with what a test put in, each answer taking `seconds` of the clock."""

    def __init__(self, clock):
        self.clock = clock
        self.seconds = 0.0
        self.answers = []
        self.asked = []

    def __call__(self, cursor, wait_ms):
        self.asked.append((cursor, wait_ms))
        self.clock.now += self.seconds
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def changes(cursor, *names, reset=False):
    return catalog_pb2.WatchStocksResponse(names=names, cursor=cursor, reset=reset)


@pytest.fixture
def cache(clock):
    cache = StockCache(10, clock)
    for name in ("ACME", "BETA"):
        fill, _ = cache.begin_fill(name)
        cache.complete_fill(fill, Stock(name, 100, 1))
    return cache


@pytest.fixture
def feed(clock):
    return Feed(clock)


def test_changes_are_taken_in_and_the_cursor_goes_on(cache, clock, feed):
    watch = StockWatch(procedure(feed), cache, clock)
    feed.answers = [changes("r.1", "ACME"), changes("r.2")]
    assert perform(watch.tick())
    assert perform(watch.tick())
    assert cache.names() == ["BETA"]
    assert [cursor for cursor, _wait in feed.asked] == ["", "r.1"]


def test_reset_drops_everything(cache, clock, feed):
    feed.answers = [changes("r.1", reset=True)]
    assert perform(StockWatch(procedure(feed), cache, clock).tick())
    assert cache.names() == []


def test_freshness_counts_from_the_sending_of_the_call_that_was_answered(cache, clock, feed):
    feed.seconds = 0.6
    feed.answers = [changes("r.1")]
    clock.now += 3
    perform(StockWatch(procedure(feed), cache, clock).tick())
    assert cache.look("ACME") is not None
    clock.now += 0.41
    assert cache.look("ACME") is None


def test_failure_keeps_the_cursor_and_makes_nothing_fresh(cache, clock, feed):
    watch = StockWatch(procedure(feed), cache, clock)
    feed.answers = [changes("r.1"), DOWN, changes("r.2", "ACME")]
    assert perform(watch.tick())
    clock.now += 1.1
    assert not perform(watch.tick())
    assert cache.look("BETA") is None
    assert perform(watch.tick())
    assert feed.asked[2][0] == "r.1"
    assert cache.names() == ["BETA"]


def test_started_watch_asks_at_once_then_goes_on_through_failures_until_stopped(cache, clock):
    asked = []
    enough = threading.Event()
    gone_on = threading.Event()

    def watch(cursor, wait_ms):
        asked.append((cursor, wait_ms))
        if len(asked) == 2:
            raise ValueError("a bug")
        if len(asked) == 3:
            raise DOWN
        if len(asked) >= 4:
            gone_on.set()
            enough.wait(10)
        return changes(f"r.{len(asked)}")

    started = StockWatch(procedure(watch), cache, clock).start(perform)
    assert asked[0] == ("", 0)
    assert gone_on.wait(10)
    started.stop()
    enough.set()
    assert asked[1:4] == [("r.1", 500)] * 3


def test_changes_that_never_cease_do_not_cost_a_call_each(cache, clock, feed):
    feed.answers = [changes("r.1", "ACME"), DOWN, changes("r.2", "ACME")]
    follow = StockWatch(procedure(feed), cache, clock).follow()
    waits = [next(follow) for _ in range(3)]
    assert [wait.timeout_s for wait in waits if isinstance(wait, Wait)] == [SPACING_S, PAUSE_S, SPACING_S]
    assert MOST_AGE_S > WAIT_MS / 1000 + 2 * SPACING_S  # while nothing changes the cache stays fresh
