import sys
import threading
import time

import pytest

from common.rwlock import ReadWriteLock
from deploy.systems.waiting import wait_until

TIME_LIMIT_S = 10


class Worker:
    """Does one thing with a lock in a thread of its own, then waits until it is told to end."""

    def __init__(self, acquire, release):
        self.holds = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(acquire, release), daemon=True)
        self._thread.start()

    def _run(self, acquire, release):
        acquire()
        self.holds.set()
        self._end.wait(TIME_LIMIT_S)
        release()

    def end(self):
        self._end.set()
        self._thread.join(TIME_LIMIT_S)
        assert not self._thread.is_alive()


def reader(lock):
    return Worker(lock.acquire_read, lock.release_read)


def writer(lock):
    return Worker(lock.acquire_write, lock.release_write)


def waiting_writer(lock):
    waiting = writer(lock)
    wait_until(lambda: lock._writers_waiting > 0, TIME_LIMIT_S, "a writer that waits")
    assert not waiting.holds.is_set()
    return waiting


def test_many_readers_hold_it_at_once():
    lock = ReadWriteLock()
    readers = [reader(lock) for _ in range(5)]
    assert all(each.holds.wait(TIME_LIMIT_S) for each in readers)
    for each in readers:
        each.end()


def test_writer_keeps_readers_and_writers_out():
    lock = ReadWriteLock()
    first = writer(lock)
    assert first.holds.wait(TIME_LIMIT_S)
    second, late = waiting_writer(lock), reader(lock)
    assert not late.holds.wait(0.05)
    assert not second.holds.is_set()
    first.end()
    assert second.holds.wait(TIME_LIMIT_S)
    assert not late.holds.wait(0.05)
    second.end()
    assert late.holds.wait(TIME_LIMIT_S)
    late.end()


def test_writer_waits_for_the_last_reader():
    lock = ReadWriteLock()
    readers = [reader(lock) for _ in range(3)]
    assert all(each.holds.wait(TIME_LIMIT_S) for each in readers)
    waiting = waiting_writer(lock)
    for each in readers[:2]:
        each.end()
        assert not waiting.holds.wait(0.02)
    readers[2].end()
    assert waiting.holds.wait(TIME_LIMIT_S)
    waiting.end()


def test_reader_that_comes_after_a_waiting_writer_waits_behind_it():
    lock = ReadWriteLock()
    early = reader(lock)
    assert early.holds.wait(TIME_LIMIT_S)
    waiting, late = waiting_writer(lock), reader(lock)
    assert not late.holds.wait(0.05)
    early.end()
    assert waiting.holds.wait(TIME_LIMIT_S)
    assert not late.holds.is_set()
    waiting.end()
    assert late.holds.wait(TIME_LIMIT_S)
    late.end()


def test_writer_is_not_starved_by_readers_that_never_leave_it_free():
    lock = ReadWriteLock()
    done = threading.Event()
    read_counts = [0, 0]

    def read_all_the_time(index):
        while not done.is_set():
            with lock.read():
                read_counts[index] += 1

    readers = [threading.Thread(target=read_all_the_time, args=(index,), daemon=True) for index in range(2)]
    for each in readers:
        each.start()
    wait_until(lambda: all(read_counts), TIME_LIMIT_S, "a turn of every reader")
    try:
        for _ in range(50):
            waiting = writer(lock)
            assert waiting.holds.wait(TIME_LIMIT_S)
            waiting.end()
    finally:
        done.set()
        for each in readers:
            each.join(TIME_LIMIT_S)


def test_thread_may_hold_two_reads_and_gives_both_back():
    lock = ReadWriteLock()
    lock.acquire_read()
    lock.acquire_read()
    lock.release_read()
    waiting = waiting_writer(lock)
    lock.release_read()
    assert waiting.holds.wait(TIME_LIMIT_S)
    waiting.end()


@pytest.mark.parametrize("release", ["release_read", "release_write"])
def test_release_without_a_hold_raises(release):
    lock = ReadWriteLock()
    with pytest.raises(RuntimeError, match="does not hold"):
        getattr(lock, release)()
    with lock.write():
        pass


def test_release_of_the_other_kind_raises():
    lock = ReadWriteLock()
    with lock.read(), pytest.raises(RuntimeError):
        lock.release_write()
    with lock.write(), pytest.raises(RuntimeError):
        lock.release_read()


def test_release_of_another_threads_hold_raises_and_changes_nothing():
    lock = ReadWriteLock()
    holder = writer(lock)
    assert holder.holds.wait(TIME_LIMIT_S)
    with pytest.raises(RuntimeError):
        lock.release_write()
    with pytest.raises(RuntimeError):
        lock.release_read()
    late = reader(lock)
    assert not late.holds.wait(0.02)
    holder.end()
    assert late.holds.wait(TIME_LIMIT_S)
    with pytest.raises(RuntimeError):
        lock.release_read()
    late.end()


def test_second_release_raises():
    lock = ReadWriteLock()
    lock.acquire_read()
    lock.release_read()
    with pytest.raises(RuntimeError):
        lock.release_read()
    lock.acquire_write()
    lock.release_write()
    with pytest.raises(RuntimeError):
        lock.release_write()


@pytest.mark.parametrize("hold", ["read", "write"])
def test_block_gives_the_lock_back_when_it_raises(hold):
    lock = ReadWriteLock()
    with pytest.raises(KeyError), getattr(lock, hold)():
        raise KeyError
    after = writer(lock)
    assert after.holds.wait(TIME_LIMIT_S)
    after.end()


def test_writers_exclude_each_other_and_every_reader():
    """Two numbers that are equal whenever nobody writes, under many switches of threads."""
    lock = ReadWriteLock()
    numbers = [0, 0]
    unequal = []

    def write():
        for _ in range(200):
            with lock.write():
                numbers[0] += 1
                time.sleep(0)
                numbers[1] += 1

    def read():
        for _ in range(200):
            with lock.read():
                first = numbers[0]
                time.sleep(0)
                second = numbers[1]
                if first != second:
                    unequal.append((first, second))

    threads = [threading.Thread(target=work) for work in (write, read) * 3]
    switch_interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIME_LIMIT_S)
    finally:
        sys.setswitchinterval(switch_interval)
    assert numbers == [600, 600]
    assert unequal == []
