import threading
import time

from common.process.latch import Latch


def test_it_is_set_once_and_for_good():
    latch = Latch()
    assert not latch.is_set()
    latch.set()
    latch.set()
    assert latch.is_set()
    assert latch.wait(0)


def test_waiting_ends_with_its_time():
    latch = Latch()
    began = time.monotonic()
    assert latch.wait(0.05) is False
    assert time.monotonic() - began >= 0.05
    assert latch._callbacks == []


def test_all_threads_that_wait_go_on():
    latch = Latch()
    results = []
    threads = [threading.Thread(target=lambda: results.append(latch.wait(10))) for _ in range(50)]
    for thread in threads:
        thread.start()
    latch.set()
    for thread in threads:
        thread.join(10)
    assert results == [True] * 50


def test_callbacks_are_called_once_before_or_after():
    latch, called = Latch(), []
    latch.call_when_set(lambda: called.append("before"))
    assert called == []
    latch.set()
    latch.call_when_set(lambda: called.append("after"))
    latch.set()
    assert called == ["before", "after"]


def test_what_is_forgotten_is_not_called():
    latch, called = Latch(), []
    kept, forgotten = (lambda: called.append("kept")), (lambda: called.append("forgotten"))
    latch.call_when_set(kept)
    latch.call_when_set(forgotten)
    latch.forget(forgotten)
    latch.forget(forgotten)
    latch.set()
    latch.forget(kept)
    assert called == ["kept"]


def test_whoever_comes_while_it_is_set_is_called_exactly_once():
    """However the threads meet: setting, adding and forgetting at once."""
    for _ in range(300):
        latch = Latch()
        called: list[int] = []
        meet = threading.Barrier(3)

        def add(latch=latch, called=called, meet=meet) -> None:
            meet.wait()
            for number in range(5):
                latch.call_when_set(lambda number=number: called.append(number))

        def set_it(latch=latch, meet=meet) -> None:
            meet.wait()
            latch.set()

        threads = [threading.Thread(target=work) for work in (add, set_it, set_it)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert sorted(called) == list(range(5))
