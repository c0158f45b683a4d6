"""Refusals by the catalog, as failures for the caller, and the memory of them that one leadership keeps.

Apart from pending.py, whose lock guards the memory: what a refusal says is a matter of its own.
"""

from backends.failures import InvalidArgument
from backends.storage.known_keys import KnownKeys, key_of
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import catalog_pb2


def failure_from_refusal(reason_name: str, available: int, order: catalog_pb2.NewOrder) -> RpcFailure:
    """Return what the caller of a refused order is told."""
    name = order.stock_name
    reason = Reason.named(reason_name)
    match reason:
        case Reason.UNKNOWN_STOCK:
            message = f"no stock is named {name!r}"
        case Reason.INSUFFICIENT_STOCK:
            message = f"stock {name!r}: {available} left, {order.quantity} asked"
        case Reason.STOCK_LIMIT:
            message = f"stock {name!r} would hold more than 10^15 shares"
        case Reason.DISK_FULL:
            message = "the catalog's disk is full"
        case _:
            return InvalidArgument(f"the catalog refused the order of {order.quantity} {name!r}: {reason_name}")
    metadata = {"available": available} if reason is Reason.INSUFFICIENT_STOCK else {}
    return RpcFailure(reason, message, metadata=metadata)


class Refusals:
    """The last refusals of a leadership, by key: a refused key gets its refusal again, and never executes.

    At least the last 1,000,000; about 150 bytes each, as only the reason and the shares left are kept, in one integer,
    and another sentence is made. Not thread-safe: the owner's lock guards it.
    """

    def __init__(self) -> None:
        self._codes = KnownKeys()

    def remember(self, order: catalog_pb2.NewOrder, refusal: catalog_pb2.Refusal) -> None:
        """Keep a refusal that the same key gets again; one that heals, as of a full disk, is not kept."""
        reason = Reason.named(refusal.reason)
        if reason.is_lasting:
            key = key_of(order.account, order.idempotency_key)
            self._codes.add(key, refusal.available * len(Reason) + reason.value)

    def get(self, order: catalog_pb2.NewOrder) -> RpcFailure | None:
        """Return the refusal that the order's key got, None if it got none."""
        code = self._codes.number(key_of(order.account, order.idempotency_key))
        if code is None:
            return None
        available, reason = divmod(code, len(Reason))
        refusal = failure_from_refusal(Reason(reason).name, available, order)
        # The first attempt may have asked for something else: the sentence must not put it into this one's words.
        left = f", {available} left" if "available" in refusal.metadata else ""
        refusal.message = (
            f"key {order.idempotency_key!r} was refused before ({refusal.wire_reason}{left}): make a new key"
        )
        return refusal
