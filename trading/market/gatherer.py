"""Threads that wait with an order share one PlaceOrders call.

A call costs much the same whatever it carries, so one is under way at a time, and the orders that arrive meanwhile
travel together in the next one; a lone order goes at once. Behind a call that is slow, a second one is made: what holds
up the orders in the first may be over. There is no dispatcher thread: one that waits sends for all.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from common.calls.failures import RpcFailure, failure_from_wire
from common.calls.reasons import Reason
from common.calls.steps import Steps, Wait
from protos import catalog_pb2, order_pb2
from trading.replicas.election import LeaderAndEpoch

ORDERS_PER_CALL = 500
# After so long behind a call, an order goes in a second one.
SECOND_CALL_AFTER_S = 0.15
# Long enough for a leader that waits 0.8 s for a follower before it leaves it out. A dead one is found out sooner.
CALL_TIMEOUT_S = 1.5
# A sender with less time left than this lets another one send: its own time would cut the call off for all.
LEAST_SEND_S = 0.3

Result = order_pb2.PlaceOrderResponse | RpcFailure
Answers = Sequence[order_pb2.PlaceOrdersResult]
# Sends orders to a leadership in one call with a time-out; answers one result for each, or raises RpcFailure.
Send = Callable[[LeaderAndEpoch, list[catalog_pb2.NewOrder], float], Steps[Answers]]


class GathererCounts(NamedTuple):
    """Orders that wait now; calls made so far, and the orders in them, each attempt counted."""

    waiting: int
    calls: int
    orders: int


class _Waiting:
    """One thread with its order. The fields are guarded by the gatherer's lock; `woken` says that one has changed."""

    def __init__(self, order: catalog_pb2.NewOrder, deadline: float) -> None:
        self.order = order
        self.deadline = deadline
        self.woken = threading.Event()
        self.sends = False  # it is this thread's turn to send for all that wait
        self.result: Result | None = None


class _Lane:
    """What waits for, and what is under way to, one leadership."""

    def __init__(self) -> None:
        self.waiting: deque[_Waiting] = deque()
        self.calls = 0  # under way, and turns to send that were given to a thread: 2 at most

    def pass_turn_on(self) -> None:
        """Give the turn of a thread that is done with it to the first that waits, or give it up."""
        if self.calls == 1 and self.waiting:
            self._give_turn(self.waiting[0])
        else:  # of two, one goes on
            self.calls -= 1

    def take_turn(self, waiting: _Waiting) -> None:
        """Give a thread the turn to send, as far as there is another one and its order is not sent yet."""
        if self.calls < 2 and not waiting.sends and waiting in self.waiting:
            self.calls += 1
            waiting.sends = True

    def pass_turn_to_later(self, sender: _Waiting) -> bool:
        """Give the sender's turn to the one that has the most time left; whether there is one with more than it."""
        latest = max(self.waiting, key=lambda one: one.deadline, default=sender)
        if latest.deadline <= sender.deadline:
            return False
        if latest.sends:
            self.calls -= 1
        else:
            self._give_turn(latest)
        return True

    @staticmethod
    def _give_turn(heir: _Waiting) -> None:
        heir.sends = True
        heir.woken.set()


class Gatherer:
    """Gathers the orders of many threads into few calls. No lock is held across a call."""

    def __init__(self, send: Send, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._send = send
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._lanes: dict[LeaderAndEpoch, _Lane] = {}  # guarded by _lock, with all that is in them
        self._call_count = 0  # guarded by _lock
        self._order_count = 0  # guarded by _lock

    def place(
        self, leadership: LeaderAndEpoch, order: catalog_pb2.NewOrder, deadline: float
    ) -> Steps[order_pb2.PlaceOrderResponse]:
        """Send one order to a leadership, together with those of other threads, and return what became of it.

        `deadline` is a time of the monotonic clock. The thread leaves at it even if the call goes on.

        Raises:
            RpcFailure: the order's own failure, or that of the call it was in or waited behind.
        """
        waiting = _Waiting(order, deadline)
        lane = self._enter(leadership, waiting)
        patience_s = SECOND_CALL_AFTER_S
        while waiting.result is None:
            left_s = max(0.0, deadline - self._monotonic())
            if waiting.sends:
                yield from self._send_turn(leadership, lane, waiting, deadline)
            elif (yield Wait(waiting.woken, min(left_s, patience_s))):
                waiting.woken.clear()
            elif left_s <= patience_s:
                self._leave(lane, waiting)
            else:
                patience_s = left_s
                with self._lock:
                    lane.take_turn(waiting)
        with self._lock:
            if waiting.sends:  # the turn came together with the result, or with the end of its time
                waiting.sends = False
                lane.pass_turn_on()
        if isinstance(waiting.result, RpcFailure):
            raise waiting.result
        return waiting.result

    def counts(self) -> GathererCounts:
        """Return what waits and what was sent."""
        with self._lock:
            waiting = sum(len(lane.waiting) for lane in self._lanes.values())
            return GathererCounts(waiting, self._call_count, self._order_count)

    def _enter(self, leadership: LeaderAndEpoch, waiting: _Waiting) -> _Lane:
        with self._lock:
            lane = self._lanes.get(leadership)
            if lane is None:
                self._drop_idle_lanes()
                lane = self._lanes[leadership] = _Lane()
            lane.waiting.append(waiting)
            if not lane.calls:
                lane.take_turn(waiting)
            return lane

    def _send_turn(self, leadership: LeaderAndEpoch, lane: _Lane, sender: _Waiting, deadline: float) -> Steps[None]:
        """Send all that waits, hand the results out, pass the turn on."""
        with self._lock:
            sender.sends = False
            if deadline - self._monotonic() < LEAST_SEND_S and lane.pass_turn_to_later(sender):
                return
            batch = [lane.waiting.popleft() for _ in range(min(len(lane.waiting), ORDERS_PER_CALL))]
            if not batch:  # the other call took it all before this thread woke up
                lane.pass_turn_on()
                return
            self._call_count += 1
            self._order_count += len(batch)
        failure: RpcFailure | None = None
        results: list[Result] = []
        try:
            timeout_s = min(CALL_TIMEOUT_S, deadline - self._monotonic())
            answers = yield from self._send(leadership, [one.order for one in batch], timeout_s)
            results = [_result(answer) for answer in answers]
            if len(results) != len(batch):
                failure = RpcFailure(Reason.UNKNOWN, f"{len(results)} answers for {len(batch)} orders")
        except RpcFailure as error:
            failure = error
        finally:
            # An unforeseen error is raised in this thread, and leaves nobody waiting.
            if failure is None and not results:
                failure = RpcFailure(Reason.UNKNOWN, "the call ended in an error of the frontend")
            with self._lock:
                self._hand_out(lane, batch, results, failure)

    @staticmethod
    def _hand_out(lane: _Lane, batch: list[_Waiting], results: list[Result], failure: RpcFailure | None) -> None:
        if failure is not None:
            results = [failure.again() for _ in batch]
            # What waits behind a call that failed as a whole was never sent: better to look for a leader at once than
            # to fail in the same way, one call after the other.
            batch = batch + list(lane.waiting)
            results += [failure.again(was_sent=False) for _ in lane.waiting]
            lane.waiting.clear()
        for waiting, result in zip(batch, results, strict=True):
            waiting.result = result
            waiting.woken.set()
        lane.pass_turn_on()

    def _leave(self, lane: _Lane, waiting: _Waiting) -> None:
        """Give up an order whose time is up."""
        with self._lock:
            if waiting.result is not None:
                return
            was_sent = waiting not in lane.waiting
            if not was_sent:
                lane.waiting.remove(waiting)
            late = RpcFailure(Reason.NO_ANSWER, "the order's time was up before an answer came")
            late.was_sent = was_sent
            waiting.result = late

    def _drop_idle_lanes(self) -> None:
        for leadership, lane in list(self._lanes.items()):
            if not lane.calls:
                del self._lanes[leadership]


def _result(answer: order_pb2.PlaceOrdersResult) -> Result:
    if answer.WhichOneof("result") == "placed":
        return answer.placed
    failure = answer.failure
    return failure_from_wire(
        failure.code, failure.reason, failure.message, failure.metadata, outcome_unknown=failure.outcome_unknown
    )
