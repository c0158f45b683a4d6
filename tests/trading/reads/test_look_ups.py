"""Look-ups of orders that share calls."""

import threading
import time
from typing import Any

import pytest

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import order_pb2
from tests.harness.edge_server import wait_until
from tests.trading.fake_network import refusal
from tests.trading.procedures import perform, procedure
from trading.reads.look_ups import MOST_SENDERS, PER_CALL, LookUps

LAST = 1000


class Replica:
    """Answers each call when it is let; holds the orders up to LAST."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, list[int]]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self.look_ups = LookUps(procedure(self.ask), wait_s=5.0)

    def ask(self, number: int, also: list[int]) -> order_pb2.LookUpOrderResponse:
        self.calls.append((number, also))
        assert self.gate.wait(10)
        if self.failure is not None:
            raise self.failure
        if number > LAST:
            raise refusal(Reason.UNKNOWN_ORDER)
        held = [order_pb2.Order(transaction_number=one) for one in also if one <= LAST]
        return order_pb2.LookUpOrderResponse(order=order_pb2.Order(transaction_number=number), also=held)

    def look_up(self, number: int) -> Any:
        try:
            return perform(self.look_ups.look_up(number)).transaction_number
        except RpcFailure as failure:
            return failure.reason

    def start(self, numbers: list[int]) -> tuple[list[threading.Thread], dict[int, Any]]:
        """Look these up in threads; return those, and what each came to."""
        found: dict[int, Any] = {}
        threads = [threading.Thread(target=lambda one=one: found.update({one: self.look_up(one)})) for one in numbers]
        for thread in threads:
            thread.start()
        return threads, found

    def hold(self) -> list[threading.Thread]:
        """Have as many calls under way as there may be, until the gate is set."""
        self.gate.clear()
        threads: list[threading.Thread] = []
        for number in range(1, 1 + MOST_SENDERS):
            threads += self.start([number])[0]
            wait_until(lambda number=number: len(self.calls) == number)
        return threads


@pytest.fixture
def replica() -> Replica:
    return Replica()


def test_a_lone_look_up_goes_at_once(replica):
    assert (replica.look_up(7), replica.calls) == (7, [(7, [])])


def test_those_that_come_while_calls_are_under_way_share_one(replica):
    threads = replica.hold()
    more, found = replica.start(list(range(10, 40)))
    wait_until(lambda: len(replica.look_ups._waiting) == 30)
    replica.gate.set()
    for thread in threads + more:
        thread.join(10)
    assert found == {number: number for number in range(10, 40)}
    assert sum(1 + len(also) for _, also in replica.calls) == MOST_SENDERS + 30
    assert len(replica.calls) <= MOST_SENDERS + 2


def test_who_is_not_among_what_is_held_asks_for_itself(replica):
    """No call but its own can say that an order does not exist."""
    threads = replica.hold()
    more, found = replica.start([3, LAST + 5, 4])
    wait_until(lambda: len(replica.look_ups._waiting) == 3)
    replica.gate.set()
    for thread in threads + more:
        thread.join(10)
    assert found == {3: 3, LAST + 5: Reason.UNKNOWN_ORDER, 4: 4}
    assert any(number == LAST + 5 for number, _ in replica.calls)


def test_a_call_that_fails_fails_its_first_alone(replica):
    threads = replica.hold()
    more, found = replica.start([3, 4, 5])
    wait_until(lambda: len(replica.look_ups._waiting) == 3)
    replica.failure = refusal(Reason.NO_LEADER)
    replica.gate.set()
    for thread in threads + more:
        thread.join(10)
    assert found == dict.fromkeys([3, 4, 5], Reason.NO_LEADER)
    assert {1, 2, 3, 4, 5} == {number for number, _ in replica.calls}


def test_a_call_carries_so_many_and_no_more(replica):
    threads = replica.hold()
    more, found = replica.start(list(range(3, 3 + PER_CALL + 20)))
    wait_until(lambda: len(replica.look_ups._waiting) == PER_CALL + 20)
    replica.gate.set()
    for thread in threads + more:
        thread.join(10)
    assert max(1 + len(also) for _, also in replica.calls) == PER_CALL
    assert len(found) == PER_CALL + 20


def test_unforeseen_errors_leave_nobody_waiting_and_no_sender_that_there_is_not(replica):
    replica.failure = ZeroDivisionError("a bug")
    for _ in range(2 * MOST_SENDERS):
        with pytest.raises(ZeroDivisionError):
            perform(replica.look_ups.look_up(1))
    wait_until(lambda: replica.look_ups._senders == 0)
    replica.failure = None
    began = time.monotonic()
    assert replica.look_up(2) == 2
    assert time.monotonic() - began < 2.0  # it has not waited for a call that nobody makes
    assert not replica.look_ups._waiting
