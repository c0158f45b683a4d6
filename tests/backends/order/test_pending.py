from concurrent.futures import wait

import pytest

from backends.order.pending import Caller, PendingOrders, Ticket
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import catalog_pb2, order_pb2


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def order(key: str = "k1", quantity: int = 1) -> catalog_pb2.NewOrder:
    return catalog_pb2.NewOrder(stock_name="ACME", order_type=catalog_pb2.BUY, quantity=quantity, idempotency_key=key)


def failure_of(ticket: Ticket) -> RpcFailure:
    failure = ticket.future.exception(0)
    assert isinstance(failure, RpcFailure)
    return failure


def patient(deadline: float = 200.0) -> Caller:
    return Caller(deadline, lambda: True)


def test_batch_holds_the_orders_in_the_order_they_came():
    pending = PendingOrders(Clock())
    tickets = [pending.submit(order(f"k{n}"), patient()) for n in range(5)]
    assert pending.take_batch(3) == tickets[:3]
    assert pending.take_batch(3) == tickets[3:]
    assert all(ticket.was_sent for ticket in tickets)


def test_key_in_flight_is_joined_queued_sent_or_decided():
    pending = PendingOrders(Clock())
    first = pending.submit(order(), patient())
    assert pending.submit(order(), patient()) is first
    pending.take_batch(10)
    assert pending.submit(order(), patient()) is first
    first.number = 1
    assert pending.submit(order(), patient()) is first
    pending.settle(first, order_pb2.Order(transaction_number=1))
    assert first.future.result(0).transaction_number == 1
    assert pending.submit(order(), patient()) is not first


def test_refused_key_gets_the_same_refusal_for_ever():
    pending = PendingOrders(Clock())
    ticket = pending.submit(order(quantity=9), patient())
    pending.take_batch(1)
    pending.refuse(ticket, catalog_pb2.Refusal(reason="INSUFFICIENT_STOCK", available=2))
    again = pending.submit(order(quantity=9), patient())
    assert again is not ticket
    assert pending.take_batch(1) == []
    assert pending.refused_again_count() == 1
    late = pending.submit(order("late"), patient())
    assert pending.take_batch(1) == [late]
    pending.refuse(late, catalog_pb2.Refusal(reason="UNKNOWN_STOCK"))
    late = pending.submit(order("late"), patient())  # after the epoch was looked at: not answered by that look
    pending.refuse_again(1)
    assert not late.future.done()
    assert pending.has_waiting()
    pending.refuse_again(1)
    assert late.future.done()
    assert not pending.has_waiting()
    assert pending.count() == 0
    assert pending.submit(order("late"), patient()) is not late
    assert "was refused before (INSUFFICIENT_STOCK, 2 left)" in failure_of(again).message
    assert failure_of(again).reason == failure_of(ticket).reason
    assert failure_of(again).metadata == {"available": "2"}


def test_full_disk_is_not_remembered():
    pending = PendingOrders(Clock())
    ticket = pending.submit(order(), patient())
    pending.take_batch(1)
    pending.refuse(ticket, catalog_pb2.Refusal(reason="DISK_FULL"))
    assert failure_of(ticket).reason is Reason.DISK_FULL
    pending.submit(order(), patient())
    assert pending.has_waiting()


def test_orders_that_nobody_waits_for_are_dropped_when_the_batch_is_formed():
    clock = Clock()
    pending = PendingOrders(clock)
    late = pending.submit(order("late"), patient(deadline=101))
    gone = pending.submit(order("gone"), Caller(200, lambda: False))
    joined = pending.submit(order("joined"), patient(deadline=101))
    pending.submit(order("joined"), patient())
    clock.now = 102
    assert pending.take_batch(10) == [joined]
    assert late.future.cancelled()
    assert gone.future.cancelled()
    assert wait([late.future, gone.future], timeout=0).not_done == set()  # nobody waits on for them
    assert pending.submit(order("late"), patient()) is not late


def test_caller_waits_until_its_deadline_and_while_it_is_there():
    assert patient(deadline=101).waits(100.9)
    assert not patient(deadline=101).waits(101)
    assert not Caller(101, lambda: False).waits(100)


def test_full_queue_refuses_new_keys_and_still_joins_known_ones():
    pending = PendingOrders(Clock(), max_pending=2)
    first = pending.submit(order("a"), patient())
    pending.submit(order("b"), patient())
    with pytest.raises(RpcFailure, match="QUEUE_FULL: 2 orders"):
        pending.submit(order("c"), patient())
    assert pending.submit(order("a"), patient()) is first


def test_failing_what_waits_leaves_what_was_sent():
    pending = PendingOrders(Clock())
    sent = pending.submit(order("a"), patient())
    pending.take_batch(1)
    waiting = pending.submit(order("b"), patient())
    pending.fail_waiting(RpcFailure(Reason.NOT_LEADER, "no"))
    assert failure_of(waiting).reason is Reason.NOT_LEADER
    assert not sent.future.done()
    assert pending.count() == 1
    assert pending.submit(order("a"), patient()) is sent
    assert pending.submit(order("b"), patient()) is not waiting


def test_end_tells_what_was_sent_unknown_and_the_rest_not_executed():
    pending = PendingOrders(Clock())
    sent = pending.submit(order("a"), patient())
    pending.take_batch(1)
    waiting = pending.submit(order("b"), patient())
    pending.close(RpcFailure(Reason.NOT_LEADER, "ended"), RpcFailure(Reason.STEPPED_DOWN, "ended"))
    assert failure_of(sent).may_be_executed
    assert failure_of(waiting).reason is Reason.NOT_LEADER
    assert not failure_of(waiting).may_be_executed
    with pytest.raises(RpcFailure, match="NOT_LEADER"):
        pending.submit(order("c"), patient())


def test_ticket_that_the_end_has_answered_is_not_answered_again():
    """The leadership may end, in another thread, while a turn answers."""
    clock = Clock()
    pending = PendingOrders(clock)
    tickets = [pending.submit(order(key), patient(deadline=101)) for key in ("a", "b", "c")]
    assert [ticket.taken_at for ticket in tickets] == [100.0] * 3
    pending.take_batch(3)
    pending.close(RpcFailure(Reason.NOT_LEADER, "ended"), RpcFailure(Reason.STEPPED_DOWN, "ended"))
    pending.settle(tickets[0], order_pb2.Order(transaction_number=1))
    pending.refuse(tickets[1], catalog_pb2.Refusal(reason="UNKNOWN_STOCK"))
    clock.now = 102  # its caller has given up, too
    assert pending.forget_deserted([tickets[2]]) == []
    assert all(failure_of(ticket).reason is Reason.STEPPED_DOWN for ticket in tickets)


def test_callers_that_gave_up_are_forgotten_when_another_joins():
    clock = Clock()
    pending = PendingOrders(clock)
    ticket = pending.submit(order(), patient(deadline=101))
    clock.now = 102
    for _retry in range(5):
        pending.submit(order(), patient(deadline=103))
    clock.now = 104
    pending.submit(order(), patient())
    assert len(ticket.callers) == 1


def test_decided_tickets_without_callers_are_forgotten():
    clock = Clock()
    pending = PendingOrders(clock)
    short = pending.submit(order("a"), patient(deadline=101))
    long = pending.submit(order("b"), patient())
    pending.take_batch(2)
    clock.now = 102
    assert pending.forget_deserted([short, long]) == [long]
    assert wait([short.future], timeout=0).not_done == set()
    assert pending.submit(order("a"), patient()) is not short
