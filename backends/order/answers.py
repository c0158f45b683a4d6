"""What the caller of an order is told."""

from backends.order.model import is_same_intent
from backends.order.pending import Caller, Ticket
from common.calls.failures import RpcFailure, failure_from_wire
from common.calls.reasons import Reason
from protos import catalog_pb2, order_pb2


def result_of(ticket: Ticket, wanted: catalog_pb2.NewOrder, caller: Caller) -> order_pb2.PlaceOrdersResult:
    """Return what one of a ticket's callers is told now; if the ticket is not answered yet, that it is not."""
    if not ticket.future.done() or ticket.future.cancelled():
        return failure_result(_no_answer_yet(ticket))
    # Not `result()`: one failure may be told to many callers, and raising it would keep all their frames.
    failure = ticket.future.exception()
    if failure is not None:
        if not isinstance(failure, RpcFailure):
            raise failure
        return failure_result(failure)
    order = ticket.future.result()
    if not is_same_intent(order, wanted):
        return failure_result(
            RpcFailure(
                Reason.KEY_REUSED,
                f"key {wanted.idempotency_key!r} names order {order.transaction_number}, which is another one",
                metadata={"transaction_number": order.transaction_number},
            )
        )
    is_replay = not ticket.row or ticket.callers[0] is not caller
    return order_pb2.PlaceOrdersResult(placed=order_pb2.PlaceOrderResponse(order=order, replayed=is_replay))


def failure_result(failure: RpcFailure) -> order_pb2.PlaceOrdersResult:
    """Return a failure as the result of one order among many."""
    return order_pb2.PlaceOrdersResult(
        failure=order_pb2.OrderFailure(
            code=failure.code.value[0],
            reason=failure.wire_reason,
            message=failure.message,
            metadata=failure.metadata,
            outcome_unknown=failure.may_be_executed,
        )
    )


def failure_from_message(failure: order_pb2.OrderFailure) -> RpcFailure:
    """Return the failure that `failure_result` wrote down."""
    return failure_from_wire(failure.code, failure.reason, failure.message, failure.metadata)


def naming_key(failure: RpcFailure, idempotency_key: str) -> RpcFailure:
    """Return the same failure, with the key of the order that it is about; others may be told the one that is given."""
    named = failure.again()
    named.metadata["idempotency_key"] = idempotency_key
    return named


def _no_answer_yet(ticket: Ticket) -> RpcFailure:
    if ticket.number:
        message = f"order {ticket.number} is decided, but too few replicas hold it so far"
        return RpcFailure(Reason.TOO_FEW_REPLICAS, message)
    return RpcFailure(Reason.NO_ANSWER_YET, "no answer within the caller's time")
