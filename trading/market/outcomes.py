"""What a failed attempt says of the order, and what the caller of an order is told at last."""

from collections.abc import Mapping

import grpc

from common.calls.failures import RpcFailure, code_from_number
from protos import order_pb2

# Final for the order, even when an earlier attempt may have been executed: a key that was executed is answered with
# its order, never with one of these.
FINAL_REASONS = frozenset({"UNKNOWN_STOCK", "INSUFFICIENT_STOCK", "STOCK_LIMIT", "KEY_REUSED"})

# With these reasons a replica says that it did nothing with the call (protos/order.proto, PlaceOrder).
_NOTHING_DONE_REASONS = FINAL_REASONS | {
    "NOT_LEADER",
    "INVALID_ARGUMENT",
    "QUEUE_FULL",
    "TOO_MANY_STREAMS",
    "DISK_FULL",
    "CATALOG",
    "HALTED",
    "NO_LEADER",
    "CATALOG_UNAVAILABLE",
}

# The leader's words for what the callers of an order know under another name.
PUBLIC_REASONS = {"CATALOG": "CATALOG_UNAVAILABLE", "QUEUE_FULL": "OVERLOADED", "TOO_MANY_STREAMS": "OVERLOADED"}


class AttemptFailed(RpcFailure):
    """One attempt of one order failed.

    Attributes:
        outcome_unknown: whether this attempt may have been executed, or may be later.
    """

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode,
        reason: str,
        outcome_unknown: bool,
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, code=code, reason=reason, metadata=metadata)
        self.outcome_unknown = outcome_unknown

    @classmethod
    def from_call(cls, failure: RpcFailure, *, was_sent: bool = True) -> "AttemptFailed":
        """Return what the failure of a whole call means for an order in it, or for one that waited behind it."""
        return cls(
            failure.message,
            code=failure.code,
            reason=failure.reason,
            outcome_unknown=was_sent and may_be_executed(failure),
            metadata=failure.metadata,
        )

    @classmethod
    def from_result(cls, failure: order_pb2.OrderFailure) -> "AttemptFailed":
        """Return the failure that a leader gave to one order of a call."""
        return cls(
            failure.message,
            code=code_from_number(failure.code),
            reason=failure.reason,
            outcome_unknown=failure.outcome_unknown,
            metadata=dict(failure.metadata),
        )


class OrderFailed(RpcFailure):
    """The last word on an order that the caller gets instead of it.

    Attributes:
        outcome: "not_executed": this request executed nothing and never will; "unknown": repeat it with its key.
    """

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode,
        reason: str,
        outcome: str,
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, code=code, reason=reason, metadata=metadata)
        self.outcome = outcome

    @classmethod
    def not_executed(cls, failure: RpcFailure) -> "OrderFailed":
        """Return a refusal, or why nothing could be done, under the name that callers know."""
        return cls(
            failure.message,
            code=failure.code,
            reason=public_reason(failure),
            outcome="not_executed",
            metadata=failure.metadata,
        )

    @classmethod
    def unknown(cls, failure: RpcFailure, reason: str = "OUTCOME_UNKNOWN") -> "OrderFailed":
        """Return that nobody knows; `failure` is the last thing that was heard."""
        return cls(
            f"It is not known whether the order was executed: {failure.message}",
            code=grpc.StatusCode.DEADLINE_EXCEEDED,
            reason=reason,
            outcome="unknown",
        )


def may_be_executed(failure: RpcFailure) -> bool:
    """Whether the order may be executed although the attempt failed so; true whenever that cannot be excluded."""
    if isinstance(failure, AttemptFailed):
        return failure.outcome_unknown
    return failure.was_sent and failure.reason not in _NOTHING_DONE_REASONS


def public_reason(failure: RpcFailure) -> str:
    """Return the failure's reason under the name that the callers of an order know."""
    return PUBLIC_REASONS.get(failure.reason, failure.reason)
