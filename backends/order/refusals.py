"""Refusals by the catalog, as failures for the caller, and the memory of them that one leadership keeps."""

import grpc

from backends.failures import InvalidArgument
from backends.storage.known_keys import KnownKeys, key_of
from common.calls.failures import RpcFailure
from protos import catalog_pb2, order_pb2

DISK_FULL = "DISK_FULL"

_CODES = {
    "UNKNOWN_STOCK": grpc.StatusCode.NOT_FOUND,
    "INSUFFICIENT_STOCK": grpc.StatusCode.FAILED_PRECONDITION,
    "STOCK_LIMIT": grpc.StatusCode.FAILED_PRECONDITION,
    DISK_FULL: grpc.StatusCode.RESOURCE_EXHAUSTED,
}
_FINAL_REASONS = ("UNKNOWN_STOCK", "INSUFFICIENT_STOCK", "STOCK_LIMIT", "INVALID_ARGUMENT")


def is_final(reason: str) -> bool:
    """Whether the same key gets this refusal again; otherwise (a full disk) it may be tried again."""
    return reason in _FINAL_REASONS


def failure_from_refusal(reason: str, available: int, order: order_pb2.NewOrder) -> RpcFailure:
    """Return what the caller of a refused order is told."""
    name = order.stock_name
    if reason == "UNKNOWN_STOCK":
        message = f"no stock is named {name!r}"
    elif reason == "INSUFFICIENT_STOCK":
        message = f"stock {name!r}: {available} left, {order.quantity} asked"
    elif reason == "STOCK_LIMIT":
        message = f"stock {name!r} would hold more than 10^15 shares"
    elif reason == DISK_FULL:
        message = "the catalog's disk is full"
    else:
        return InvalidArgument(f"the catalog refused the order of {order.quantity} {name!r}: {reason}")
    metadata = {"available": available} if reason == "INSUFFICIENT_STOCK" else {}
    return RpcFailure(message, code=_CODES[reason], reason=reason, metadata=metadata)


class Refusals:
    """The last refusals of a leadership, by key: a refused key gets its refusal again, and never executes.

    At least the last 1,000,000; about 150 bytes each, as only the reason and the shares left are kept, in one integer,
    and another sentence is made. Not thread-safe: the owner's lock guards it.
    """

    def __init__(self) -> None:
        self._codes = KnownKeys()

    def remember(self, order: order_pb2.NewOrder, refusal: catalog_pb2.Refusal) -> None:
        """Keep a final refusal."""
        reason = _FINAL_REASONS.index(refusal.reason)
        key = key_of(order.account, order.idempotency_key)
        self._codes.add(key, refusal.available * len(_FINAL_REASONS) + reason)

    def get(self, order: order_pb2.NewOrder) -> RpcFailure | None:
        """Return the refusal that the order's key got, None if it got none."""
        code = self._codes.number(key_of(order.account, order.idempotency_key))
        if code is None:
            return None
        available, reason = divmod(code, len(_FINAL_REASONS))
        refusal = failure_from_refusal(_FINAL_REASONS[reason], available, order)
        # The first attempt may have asked for something else: the sentence must not put it into this one's words.
        left = f", {available} left" if "available" in refusal.metadata else ""
        refusal.message = f"key {order.idempotency_key!r} was refused before ({refusal.reason}{left}): make a new key"
        return refusal
