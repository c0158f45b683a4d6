"""What the caller of an order is told: each answer to the letter."""

import grpc
import pytest

from backends.order.answers import failure_from_message, failure_result, naming_key, result_of
from backends.order.pending import Caller, Ticket
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import catalog_pb2, order_pb2

WANTED = catalog_pb2.NewOrder(stock_name="ACME", order_type=catalog_pb2.BUY, quantity=3, idempotency_key="k")
ORDER = order_pb2.Order(transaction_number=7, stock_name="ACME", order_type=catalog_pb2.BUY, quantity=3)
CALLER = Caller(200.0, lambda: True)


@pytest.fixture
def ticket() -> Ticket:
    return Ticket(WANTED, [CALLER], 100.0)


def failure(code: grpc.StatusCode, reason: str, message: str, outcome_unknown: bool, **metadata: str):
    return order_pb2.PlaceOrdersResult(
        failure=order_pb2.OrderFailure(
            code=code.value[0], reason=reason, message=message, metadata=metadata, outcome_unknown=outcome_unknown
        )
    )


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_order_without_an_answer_may_be_executed(ticket, is_cancelled):
    if is_cancelled:
        ticket.future.cancel()
    nothing = failure(
        grpc.StatusCode.DEADLINE_EXCEEDED, "NO_ANSWER_YET", "no answer within the caller's time", outcome_unknown=True
    )
    assert result_of(ticket, WANTED, CALLER) == nothing
    ticket.number = 7
    assert result_of(ticket, WANTED, CALLER) == failure(
        grpc.StatusCode.UNAVAILABLE,
        "TOO_FEW_REPLICAS",
        "order 7 is decided, but too few replicas hold it so far",
        outcome_unknown=True,
    )


def test_refusal_is_told_with_what_it_promises(ticket):
    ticket.future.set_exception(RpcFailure(Reason.INSUFFICIENT_STOCK, "2 left", metadata={"available": 2}))
    assert result_of(ticket, WANTED, CALLER) == failure(
        grpc.StatusCode.FAILED_PRECONDITION, "INSUFFICIENT_STOCK", "2 left", outcome_unknown=False, available="2"
    )


def test_bug_is_raised(ticket):
    ticket.future.set_exception(ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError, match="a bug"):
        result_of(ticket, WANTED, CALLER)


@pytest.mark.parametrize(
    ("row", "is_first", "replayed"), [(b"row", True, False), (b"row", False, True), (b"", True, True)]
)
def test_order_is_new_to_the_first_who_asked_for_it(ticket, row, is_first, replayed):
    ticket.row = row
    ticket.future.set_result(ORDER)
    caller = CALLER if is_first else Caller(200.0, lambda: True)
    assert result_of(ticket, WANTED, caller) == order_pb2.PlaceOrdersResult(
        placed=order_pb2.PlaceOrderResponse(order=ORDER, replayed=replayed)
    )


@pytest.mark.parametrize("other", [{"stock_name": "T"}, {"order_type": catalog_pb2.SELL}, {"quantity": 4}])
def test_key_of_another_order_names_that_one(ticket, other):
    ticket.future.set_result(ORDER)
    wanted = catalog_pb2.NewOrder()
    wanted.CopyFrom(WANTED)
    for name, value in other.items():
        setattr(wanted, name, value)
    assert result_of(ticket, wanted, CALLER) == failure(
        grpc.StatusCode.ALREADY_EXISTS,
        "KEY_REUSED",
        "key 'k' names order 7, which is another one",
        outcome_unknown=False,
        transaction_number="7",
    )


def test_failure_is_read_back_as_it_was_written_and_names_the_key_it_is_given():
    written = RpcFailure(Reason.QUEUE_FULL, "full", metadata={"x": "1"})
    read = failure_from_message(failure_result(written).failure)
    assert (str(read), read.metadata) == (str(written), {"x": "1"})
    newer = failure_from_message(order_pb2.OrderFailure(code=8, reason="NEWER", message="of a later version"))
    assert str(newer) == "RESOURCE_EXHAUSTED NEWER: of a later version"
    named = naming_key(written, "k")
    assert (str(named), named.metadata) == (str(written), {"x": "1", "idempotency_key": "k"})
    assert written.metadata == {"x": "1"}
