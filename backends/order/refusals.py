"""Refusals by the catalog, as failures for the caller, and the memory of them that one leadership keeps."""

import hashlib
from typing import TypeAlias

import grpc

from backends.failures import InvalidArgument
from common.failures import RpcFailure
from common.recent import RecentMap
from protos import catalog_pb2, order_pb2

REMEMBERED = 1_000_000
DISK_FULL = "DISK_FULL"

Key: TypeAlias = tuple[str, str]  # account, idempotency key

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

    About 200 bytes a refusal: the key's digest (BLAKE2b, 128 bits) and one integer are kept, the sentence is made
    anew. Not thread-safe: the owner's lock guards it.
    """

    def __init__(self, at_least: int = REMEMBERED) -> None:
        self._by_key: RecentMap[bytes, int] = RecentMap(at_least)

    def remember(self, key: Key, refusal: catalog_pb2.Refusal) -> None:
        """Keep a final refusal."""
        code = _FINAL_REASONS.index(refusal.reason)
        self._by_key.set(_digest(key), refusal.available * len(_FINAL_REASONS) + code)

    def get(self, key: Key, order: order_pb2.NewOrder) -> RpcFailure | None:
        """Return the refusal that this key got, None if it got none."""
        known = self._by_key.get(_digest(key))
        if known is None:
            return None
        available, code = divmod(known, len(_FINAL_REASONS))
        return failure_from_refusal(_FINAL_REASONS[code], available, order)


def _digest(key: Key) -> bytes:
    account, idempotency_key = key
    # NUL is in neither character set, so no two keys share a text.
    return hashlib.blake2b(f"{account}\0{idempotency_key}".encode(), digest_size=16).digest()
