"""Threads that place orders through a gatherer, and a leader that answers when it is let."""

import threading
import time

from common.calls.failures import RpcFailure
from protos import catalog_pb2, order_pb2
from tests.trading.procedures import perform
from trading.replicas.election import LeaderAndEpoch

LEADERSHIP = LeaderAndEpoch(3, "order:3", 1)


class BlockingLeader:
    """Answers each call when it is let; keeps the keys of each call."""

    def __init__(self):
        self.calls = []
        self.gates = threading.Semaphore(0)
        self.failure = None
        self.changed = threading.Condition()

    def send(self, _leadership, orders, _timeout_s):
        with self.changed:
            self.calls.append([order.idempotency_key for order in orders])
            self.changed.notify_all()
        assert self.gates.acquire(timeout=10)
        if self.failure is not None:
            raise self.failure
        return [result(order) for order in orders]

    def wait_for_calls(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.calls) >= count, 10)


def result(order):
    if order.idempotency_key.startswith("bad"):
        failure = order_pb2.OrderFailure(code=9, reason="INSUFFICIENT_STOCK", metadata={"available": "2"})
        return order_pb2.PlaceOrdersResult(failure=failure)
    placed = order_pb2.PlaceOrderResponse(order=order_pb2.Order(idempotency_key=order.idempotency_key))
    return order_pb2.PlaceOrdersResult(placed=placed)


class Crowd:
    """Threads that each place one order; `results` holds the key or the failure of each, `gone` the keys of those who
    want no answer any more."""

    def __init__(self, gatherer, seconds=10.0):
        self.gatherer = gatherer
        self.seconds = seconds
        self.results = {}
        self.gone = set()
        self.threads = []

    def start(self, *keys):
        for key in keys:
            thread = threading.Thread(target=self._place, args=(key,))
            self.threads.append(thread)
            thread.start()

    def join(self):
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()

    def wait_until_waiting(self, count):
        """Until `count` orders wait behind the calls under way."""
        give_up = time.monotonic() + 10
        while self.gatherer.counts().waiting != count:
            assert time.monotonic() < give_up
            threading.Event().wait(0.002)

    def wait_until_idle(self):
        """Until nobody sends."""
        give_up = time.monotonic() + 10
        while any(lane.senders for lane in self.gatherer._lanes.values()):
            assert time.monotonic() < give_up
            threading.Event().wait(0.002)

    def _place(self, key):
        order, deadline = catalog_pb2.NewOrder(idempotency_key=key), time.monotonic() + self.seconds
        try:
            placed = perform(self.gatherer.place(LEADERSHIP, order, deadline, lambda: key not in self.gone))
            self.results[key] = placed.order.idempotency_key
        except RpcFailure as failure:
            self.results[key] = failure
