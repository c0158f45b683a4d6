"""Orders that wait at the same time share one PlaceOrders call.

A call costs much the same whatever it carries, so one is under way at a time, and the orders that arrive meanwhile
travel together in the next one; a lone order goes at once. Clients that were answered together come back together, so
the next call waits for them, a moment at most. Behind a call that is slow, a second one is made: what holds up the
orders in the first may be over. What waits is a list; what sends is a procedure of its own, for as long as anything
waits.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from common.calls.failures import RpcFailure, failure_from_wire
from common.calls.reasons import Reason
from common.calls.steps import Start, Steps, Wait
from common.process.latch import Latch
from protos import catalog_pb2, order_pb2
from trading.replicas.election import LeaderAndEpoch

ORDERS_PER_CALL = 500
# A call waits for those that the one before has answered until so many orders are there, for as long as that one took,
# and no longer than GATHER_S.
ENOUGH_ORDERS = 32
GATHER_S = 0.010
# After so long behind a call, an order goes in a second one.
SECOND_CALL_AFTER_S = 0.15
# Long enough for a leader that waits 0.8 s for a follower before it leaves it out. A dead one is found out sooner.
CALL_TIMEOUT_S = 1.5
# How much of the slowest call's time is kept, from one call to the next, as what a call may take.
SLOWNESS_KEPT = 0.8

Result = order_pb2.PlaceOrderResponse | RpcFailure
Answers = Sequence[order_pb2.PlaceOrdersResult]
# Sends orders to a leadership in one call with a time-out; answers one result for each, or raises RpcFailure.
Send = Callable[[LeaderAndEpoch, list[catalog_pb2.NewOrder], float], Steps[Answers]]
# Whether somebody still waits for an order's answer.
IsWanted = Callable[[], bool]


class GathererCounts(NamedTuple):
    """Orders that wait now; calls made so far, and the orders in them, each attempt counted."""

    waiting: int
    calls: int
    orders: int


class _Waiting:
    """One order. It is in its lane's list until it is sent or given up; `is_done` says that there is a result."""

    __slots__ = ("is_done", "is_sent", "is_wanted", "order", "result")

    def __init__(self, order: catalog_pb2.NewOrder, is_wanted: IsWanted) -> None:
        self.order = order
        self.is_wanted = is_wanted
        self.is_sent = False  # guarded by the gatherer's lock
        self.is_done = Latch()
        self.result: Result | None = None

    def end(self, result: Result) -> None:
        self.result = result
        self.is_done.set()


class _Lane:
    """What waits for, and how many calls are under way to, one leadership."""

    def __init__(self) -> None:
        self.waiting: deque[_Waiting] = deque()
        self.senders = 0  # 2 at most
        self.crowd = 0  # how many were in the last call, or waited when it ended, up to ENOUGH_ORDERS
        self.gathers_until = 0.0  # a time of the monotonic clock
        self.is_crowd_here = Latch()


class Gatherer:
    """Gathers orders into few calls. Any number of threads, or one event loop beside them, may use it."""

    def __init__(self, send: Send, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._send = send
        self._monotonic = monotonic
        self._lock = threading.Lock()  # held for a few operations on lists, never while anything is waited for
        self._lanes: dict[LeaderAndEpoch, _Lane] = {}  # guarded by _lock, with all that is in them
        self._call_count = 0  # guarded by _lock
        self._order_count = 0  # guarded by _lock
        self._call_s = 0.0  # what a call takes: the slowest one's time, less and less of it; guarded by _lock

    def place(
        self,
        leadership: LeaderAndEpoch,
        order: catalog_pb2.NewOrder,
        deadline: float,
        is_wanted: IsWanted = lambda: True,
    ) -> Steps[order_pb2.PlaceOrderResponse]:
        """Send one order to a leadership, together with others, and return what became of it.

        `deadline` is a time of the monotonic clock. At it this ends, even if the call goes on. An order that is not
        wanted any more when it would be sent is not sent.

        Raises:
            RpcFailure: the order's own failure, or that of the call it was in or waited behind; ABANDONED.
        """
        waiting = _Waiting(order, is_wanted)
        lane = self._enter(leadership, waiting)
        yield from self._send_for(leadership, lane, waiting, most_senders=1)
        left_s = max(0.0, deadline - self._monotonic())
        if not (yield Wait(waiting.is_done, min(left_s, SECOND_CALL_AFTER_S))) and left_s > SECOND_CALL_AFTER_S:
            yield from self._send_for(leadership, lane, waiting, most_senders=2)
            yield Wait(waiting.is_done, max(0.0, deadline - self._monotonic()))
        result = waiting.result or self._leave(lane, waiting)
        if isinstance(result, RpcFailure):
            raise result
        return result

    def counts(self) -> GathererCounts:
        """Return what waits and what was sent."""
        with self._lock:
            waiting = sum(len(lane.waiting) for lane in self._lanes.values())
            return GathererCounts(waiting, self._call_count, self._order_count)

    def time_for(self, count: int) -> float:
        """Return how long the calls take, at the pace of the last ones, that so many orders fill before the next."""
        return self._call_s * (count // ORDERS_PER_CALL)

    def _enter(self, leadership: LeaderAndEpoch, waiting: _Waiting) -> _Lane:
        with self._lock:
            lane = self._lanes.get(leadership)
            if lane is None:
                self._drop_idle_lanes()
                lane = self._lanes[leadership] = _Lane()
            lane.waiting.append(waiting)
            if len(lane.waiting) >= lane.crowd:
                lane.is_crowd_here.set()
            return lane

    def _send_for(
        self, leadership: LeaderAndEpoch, lane: _Lane, waiting: _Waiting, *, most_senders: int
    ) -> Steps[None]:
        """See that one sends what waits, if this order still does and fewer than `most_senders` are at it."""
        with self._lock:
            if lane.senders >= most_senders or waiting.is_sent or waiting.result:
                return
            lane.senders += 1
        yield Start(self._send_all(leadership, lane))

    def _send_all(self, leadership: LeaderAndEpoch, lane: _Lane) -> Steps[None]:
        """Send what waits, call after call. Of two that do, the first one that has nothing under way leaves off."""
        is_first = True
        try:
            yield from self._gather(lane)
            while batch := self._take(lane, is_first=is_first):
                is_first = False
                yield from self._send_batch(leadership, lane, batch)
                yield from self._gather(lane)
        except BaseException:
            with self._lock:
                lane.senders -= 1
            raise

    def _gather(self, lane: _Lane) -> Steps[None]:
        """Wait for those who may come back. Else they and those who wait now would go in calls by turns, each half
        full: with few clients, twice the time. PostgreSQL has a group commit wait in this way (commit_delay)."""
        with self._lock:
            left_s = lane.gathers_until - self._monotonic()
            if left_s <= 0 or lane.senders > 1 or not 0 < len(lane.waiting) < lane.crowd:
                return
            lane.is_crowd_here = Latch()
        yield Wait(lane.is_crowd_here, left_s)

    def _send_batch(self, leadership: LeaderAndEpoch, lane: _Lane, batch: list[_Waiting]) -> Steps[None]:
        failure: RpcFailure | None = None
        results: list[Result] = []
        began = self._monotonic()
        try:
            answers = yield from self._send(leadership, [one.order for one in batch], CALL_TIMEOUT_S)
            results = [_result(answer) for answer in answers]
            if len(results) != len(batch):
                failure = RpcFailure(Reason.UNKNOWN, f"{len(results)} answers for {len(batch)} orders")
        except RpcFailure as error:
            failure = error
        finally:  # an unforeseen error leaves nobody waiting
            self._note_end(lane, len(batch), began)
            if len(results) == len(batch):
                for waiting, result in zip(batch, results, strict=True):
                    waiting.end(result)
            else:
                unforeseen = RpcFailure(Reason.UNKNOWN, "the call ended in an error of the frontend")
                self._fail(lane, batch, failure or unforeseen)

    def _take(self, lane: _Lane, *, is_first: bool) -> list[_Waiting]:
        """Return the orders of the next call; none: the sender is to leave off, and counts no more."""
        unwanted: list[_Waiting] = []
        batch: list[_Waiting] = []
        with self._lock:
            if is_first or lane.senders == 1:
                while lane.waiting and len(batch) < ORDERS_PER_CALL:
                    waiting = lane.waiting.popleft()
                    (batch if waiting.is_wanted() else unwanted).append(waiting)
            for waiting in batch:
                waiting.is_sent = True
            if batch:
                self._call_count += 1
                self._order_count += len(batch)
            else:
                lane.senders -= 1
        for waiting in unwanted:
            waiting.end(RpcFailure(Reason.ABANDONED, "nobody waits for the answer any more"))
        return batch

    def _fail(self, lane: _Lane, batch: list[_Waiting], failure: RpcFailure) -> None:
        # What waits behind a call that failed as a whole was never sent: better to look for a leader at once than
        # to fail in the same way, one call after the other.
        with self._lock:
            behind = list(lane.waiting)
            lane.waiting.clear()
        for waiting in batch:
            waiting.end(failure.again())
        for waiting in behind:
            waiting.end(failure.again(was_sent=False))

    def _note_end(self, lane: _Lane, count: int, began: float) -> None:
        now = self._monotonic()
        with self._lock:
            self._call_s = max(now - began, SLOWNESS_KEPT * self._call_s)
            lane.crowd = min(count + len(lane.waiting), ENOUGH_ORDERS)
            lane.gathers_until = now + min(now - began, GATHER_S)

    def _leave(self, lane: _Lane, waiting: _Waiting) -> Result:
        """Give up an order whose time is up, unless its result has just come."""
        with self._lock:
            if not waiting.is_sent and waiting in lane.waiting:
                lane.waiting.remove(waiting)
        late = RpcFailure(Reason.NO_ANSWER, "the order's time was up before an answer came")
        late.was_sent = waiting.is_sent
        return waiting.result or late

    def _drop_idle_lanes(self) -> None:
        for leadership, lane in list(self._lanes.items()):
            if not lane.senders and not lane.waiting:
                del self._lanes[leadership]


def _result(answer: order_pb2.PlaceOrdersResult) -> Result:
    if answer.WhichOneof("result") == "placed":
        return answer.placed
    failure = answer.failure
    return failure_from_wire(
        failure.code, failure.reason, failure.message, failure.metadata, outcome_unknown=failure.outcome_unknown
    )
