"""The rules of the stock cache, in one thread."""

from collections import OrderedDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from tests.trading.fake_network import FakeClock
from trading.reads.stock import Stock
from trading.reads.stock_cache import MOST_HITS, StockCache

ACME = Stock("ACME", 4135, 120)


@pytest.fixture
def cache(clock):
    return StockCache(3, clock)


def fill(cache, name, quantity=1):
    begun, is_mine = cache.begin_fill(name)
    assert is_mine
    cache.complete_fill(begun, Stock(name, 100, quantity))


def test_filled_stock_is_a_hit_for_one_second_from_the_sending_of_its_question(cache, clock):
    begun, _ = cache.begin_fill("ACME")
    clock.now += 0.4
    cache.complete_fill(begun, ACME)
    clock.now += 0.6
    assert cache.look("ACME") == ACME
    clock.now += 0.001
    assert cache.look("ACME") is None


def test_watch_that_names_others_keeps_an_entry_fresh_from_the_time_it_was_sent(cache, clock):
    fill(cache, "ACME")
    clock.now += 5
    cache.apply_watch(["OTHER"], reset=False, sent_at=clock.now - 0.5)
    assert cache.look("ACME") is not None
    clock.now += 0.5
    assert cache.look("ACME") is not None
    clock.now += 0.001
    assert cache.look("ACME") is None


def test_late_answer_of_an_earlier_watch_does_not_make_entries_older(cache, clock):
    fill(cache, "ACME")
    clock.now += 2
    cache.apply_watch([], reset=False, sent_at=clock.now)
    cache.apply_watch([], reset=False, sent_at=clock.now - 2)
    assert cache.look("ACME") is not None


@pytest.mark.parametrize(("names", "reset"), [(["ACME"], False), ([], True)])
def test_change_drops_the_entry_and_cancels_its_fill(cache, clock, names, reset):
    fill(cache, "ACME")
    begun, _ = cache.begin_fill("ACME")
    cache.apply_watch(names, reset=reset, sent_at=clock.now)
    assert cache.look("ACME") is None
    cache.complete_fill(begun, ACME)
    assert cache.look("ACME") is None
    assert begun.outcome == ACME  # it answers its reader all the same


def test_change_of_one_stock_leaves_the_others(cache, clock):
    fill(cache, "ACME")
    fill(cache, "BETA")
    begun, _ = cache.begin_fill("GAMMA")
    cache.invalidate(["ACME"])
    cache.complete_fill(begun, Stock("GAMMA", 1, 1))
    assert cache.names() == ["BETA", "GAMMA"]


def test_reader_joins_the_fill_under_way(cache):
    begun, _ = cache.begin_fill("ACME")
    joined, is_mine = cache.begin_fill("ACME")
    assert joined is begun
    assert not is_mine
    cache.complete_fill(begun, ACME)
    assert joined.outcome == ACME


def test_nobody_joins_a_cancelled_fill(cache):
    cancelled, _ = cache.begin_fill("ACME")
    cache.invalidate(["ACME"])
    second, is_mine = cache.begin_fill("ACME")
    assert is_mine
    cache.complete_fill(second, ACME._replace(quantity=2))
    cache.complete_fill(cancelled, ACME._replace(quantity=1))
    assert cache.look("ACME") == ACME._replace(quantity=2)


def test_invalidation_cancels_every_fill_of_the_name(cache, clock):
    """One too old to be joined is still under way beside a younger one."""
    old, _ = cache.begin_fill("ACME")
    clock.now += 1.5
    young, is_mine = cache.begin_fill("ACME")
    assert is_mine
    cache.invalidate(["ACME"])
    cache.complete_fill(old, ACME)
    cache.complete_fill(young, ACME)
    assert cache.look("ACME") is None


def test_answer_to_an_earlier_question_does_not_replace_a_later_one(cache, clock):
    old, _ = cache.begin_fill("ACME")
    clock.now += 1.5
    young, _ = cache.begin_fill("ACME")
    cache.complete_fill(young, ACME._replace(quantity=2))
    cache.complete_fill(old, ACME._replace(quantity=1))
    assert cache.look("ACME") == ACME._replace(quantity=2)


def test_abandoned_fill_tells_those_who_joined_and_keeps_nothing(cache):
    begun, _ = cache.begin_fill("ACME")
    failure = RpcFailure(Reason.UNKNOWN_STOCK, "no stock is named ACME")
    cache.abandon_fill(begun, failure)
    assert begun.outcome is failure
    assert cache.look("ACME") is None
    _, is_mine = cache.begin_fill("ACME")
    assert is_mine


def test_fill_that_is_not_done_gives_nothing(cache):
    begun, _ = cache.begin_fill("ACME")
    assert begun.outcome is None


def test_least_recently_used_is_evicted(cache):
    for name in "ABC":
        fill(cache, name)
    assert cache.look("A")
    fill(cache, "D")
    assert cache.names() == ["C", "A", "D"]


def test_many_hits_without_a_write_lose_no_order(cache):
    for name in "ABC":
        fill(cache, name)
    assert cache.look("A")
    for _ in range(3 * MOST_HITS):
        assert cache.look("C")
    fill(cache, "D")
    assert cache.names() == ["A", "C", "D"]


steps = st.lists(st.tuples(st.sampled_from(["look", "fill", "drop"]), st.sampled_from("ABCDE")), max_size=300)


@settings(deadline=None)  # other processes may be busy
@given(steps, st.integers(1, 4))
def test_in_one_thread_it_is_exactly_a_least_recently_used_cache(steps, size):
    cache = StockCache(size, FakeClock())
    reference: OrderedDict[str, Stock] = OrderedDict()
    for quantity, (step, name) in enumerate(steps):
        if step == "look":
            assert cache.look(name) == reference.get(name)
            if name in reference:
                reference.move_to_end(name)
        elif step == "fill":
            fill(cache, name, quantity)
            reference[name] = Stock(name, 100, quantity)
            reference.move_to_end(name)
            if len(reference) > size:
                reference.popitem(last=False)
        else:
            cache.invalidate([name])
            reference.pop(name, None)
    assert cache.names() == list(reference)
