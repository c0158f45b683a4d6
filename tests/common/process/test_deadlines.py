import threading
import time
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from common.process.deadlines import Deadlines
from deploy.systems.waiting import wait_until


@pytest.fixture
def deadlines() -> Iterator[Deadlines]:
    yield (deadlines := Deadlines())
    deadlines.close()


def test_an_end_is_called_once_and_not_before_its_time(deadlines):
    called: list[float] = []
    twice = threading.Event()

    def end() -> None:
        called.append(time.monotonic())

    began = time.monotonic()
    deadlines.set(end, began + 0.05)
    deadlines.set(twice.set, began + 0.1)
    assert twice.wait(5)
    assert len(called) == 1
    assert called[0] >= began + 0.05


def test_what_is_dropped_in_time_is_not_called(deadlines):
    dropped, other = threading.Event(), threading.Event()
    now = time.monotonic()
    deadlines.set(dropped.set, now + 0.05)
    deadlines.set(other.set, now + 0.1)
    assert deadlines.drop(dropped.set)
    assert other.wait(5)
    assert not dropped.is_set()


def test_it_is_too_late_to_drop_what_was_called(deadlines):
    called = threading.Event()
    deadlines.set(called.set, time.monotonic())
    assert called.wait(5)
    assert not deadlines.drop(called.set)


def test_an_earlier_deadline_wakes_the_thread_that_sleeps_until_a_later_one(deadlines):
    late, early = threading.Event(), threading.Event()
    now = time.monotonic()
    deadlines.set(late.set, now + 60)
    wait_until(lambda: deadlines._wakes_at == now + 60, 5, "the thread sleeps")
    deadlines.set(early.set, now + 0.01)
    assert early.wait(5)
    assert not late.is_set()


def test_a_deadline_that_is_set_after_a_while_without_any_is_kept(deadlines):
    first, second = threading.Event(), threading.Event()
    deadlines.set(first.set, time.monotonic())
    assert first.wait(5)
    deadlines.set(second.set, time.monotonic() + 0.01)
    assert second.wait(5)


def test_close_ends_the_thread_and_calls_nothing():
    deadlines, called = Deadlines(), threading.Event()
    deadlines.set(called.set, time.monotonic() + 60)
    thread = deadlines._thread
    assert thread is not None
    deadlines.close()
    thread.join(5)
    assert not thread.is_alive()
    assert not called.is_set()


def test_an_end_that_fails_does_not_end_the_others(deadlines):
    def fail() -> None:
        raise ValueError("this one")

    called = threading.Event()
    now = time.monotonic()
    with capture_logs() as logs:
        deadlines.set(fail, now)
        deadlines.set(called.set, now + 0.05)
        assert called.wait(5)
    assert [entry["log_level"] for entry in logs] == ["error"]
