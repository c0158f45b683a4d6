"""The thread that takes a replica's turns."""

import queue
import threading
import time

from backends.order import __main__ as process
from common.calls.network import Network


class BusyReplica:
    """An order comes while each heartbeat is under way; its turn is counted. Nobody tells the thread of it again."""

    def __init__(self, work, stopping):
        self.work, self.stopping = work, stopping
        self.waiting = self.turns = self.heartbeats = 0

    def has_work(self):
        return self.waiting > 0

    def turn(self):
        self.waiting, self.turns = 0, self.turns + 1
        return
        yield

    def heartbeat(self):
        self.heartbeats += 1
        if self.heartbeats == 4:
            self.stopping.set()
        self.waiting += 1
        self.work.set()
        self.work.clear()  # as the thread does when it has just begun to look at the time
        return
        yield


def test_order_that_came_while_a_heartbeat_was_due_has_its_turn_at_once(monkeypatch):
    """Without that it waits until another order comes, heartbeat after heartbeat."""
    monkeypatch.setattr(process, "HEARTBEAT_S", 0.05)
    work, stopping = threading.Event(), threading.Event()
    replica = BusyReplica(work, stopping)
    thread = threading.Thread(target=process.work_until_stopped, args=(replica, Network(), work, stopping))
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert (replica.turns, replica.heartbeats) == (3, 4)


def test_damage_is_told_for_a_while_before_the_process_leaves(monkeypatch):
    monkeypatch.setattr(process, "DAMAGE_TOLD_S", 0.1)
    ends: queue.SimpleQueue[process.End] = queue.SimpleQueue()
    first = process.Damaged("row 4", is_again=False)
    ends.put(first)
    ends.put(process.Damaged("row 5", is_again=True))
    began = time.monotonic()
    assert process.wait_for_end(ends) == first
    assert time.monotonic() - began >= 0.1


def test_signal_that_comes_while_damage_is_told_ends_the_process(monkeypatch):
    monkeypatch.setattr(process, "DAMAGE_TOLD_S", 60)
    ends: queue.SimpleQueue[process.End] = queue.SimpleQueue()
    ends.put(process.Damaged("row 4", is_again=False))
    ends.put("SIGTERM")
    assert process.wait_for_end(ends) == "SIGTERM"
