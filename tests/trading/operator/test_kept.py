"""A value that many want at once is asked for once."""

import threading

import pytest

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from deploy.systems.waiting import wait_until
from tests.trading.fake_network import FakeClock
from trading.operator.kept import MOST_LATE, Kept, StillLoading


class Source:
    """Counts what it is asked; waits in `load` while it is held, and raises `failure`, if one is set."""

    def __init__(self):
        self.asked = 0
        self.failure = None
        self.goes_on = threading.Event()
        self.goes_on.set()

    def load(self):
        self.asked += 1
        number = self.asked
        assert self.goes_on.wait(5)
        if self.failure is not None:
            raise self.failure
        return number


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def kept(source, clock):
    return Kept(source.load, 1.0, clock)


def test_nothing_is_loaded_before_somebody_asks(kept, source):
    assert source.asked == 0


def test_all_who_ask_within_the_time_share_one_value(kept, clock):
    assert kept.get() == 1
    clock.now += 0.9
    assert kept.get() == 1
    clock.now += 0.1
    assert kept.get() == 2


def test_for_another_key_it_is_loaded_anew(kept):
    assert [kept.get(1), kept.get(1), kept.get(2), kept.get(2)] == [1, 1, 2, 2]


def test_a_failure_is_the_callers_and_the_next_one_tries_again(kept, source, clock):
    source.failure = RpcFailure(Reason.CATALOG, "the catalog is away")
    with pytest.raises(RpcFailure, match="the catalog is away"):
        kept.get()
    source.failure = None
    assert kept.get() == 2


def in_thread(kept):
    got = []
    thread = threading.Thread(target=lambda: got.append(kept.get()))
    thread.start()
    return thread, got


def test_while_one_loads_the_others_get_the_value_before(kept, source, clock):
    kept.get()
    clock.now += 1.0
    source.goes_on.clear()
    thread, got = in_thread(kept)
    wait_until(lambda: source.asked == 2, 5, "a thread that loads")
    assert kept.get() == 1
    source.goes_on.set()
    thread.join(5)
    assert got == [2]
    assert kept.get() == 2


def test_a_value_that_is_far_too_old_is_not_shown_while_one_loads(kept, source, clock):
    kept.get()
    clock.now += MOST_LATE
    source.goes_on.clear()
    (first, got_first), (second, got_second) = in_thread(kept), in_thread(kept)
    wait_until(lambda: source.asked == 2, 5, "a thread that loads")
    assert (got_first, got_second) == ([], [])
    source.goes_on.set()
    first.join(5)
    second.join(5)
    assert (got_first, got_second) == ([2], [2])


def test_who_may_not_be_shown_an_old_value_waits_for_so_long_and_is_told(source, clock):
    kept = Kept(source.load, 1.0, clock, most_late=1)
    assert kept.get() == 1
    clock.now += 1.0
    source.goes_on.clear()
    thread, got = in_thread(kept)
    wait_until(lambda: source.asked == 2, 5, "a thread that loads")
    with pytest.raises(StillLoading):
        kept.get(wait_s=0.01)
    source.goes_on.set()
    thread.join(5)
    assert got == [2]


def test_who_waited_for_a_load_that_failed_loads_in_its_turn(kept, source):
    source.goes_on.clear()
    source.failure = RpcFailure(Reason.CATALOG, "the catalog is away")
    failures = []

    def get():
        with pytest.raises(RpcFailure) as raised:
            kept.get()
        failures.append(raised.value)

    threads = [threading.Thread(target=get) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_until(lambda: source.asked == 1, 5, "a thread that loads")
    source.goes_on.set()
    for thread in threads:
        thread.join(5)
    assert (len(failures), source.asked) == (3, 3)
