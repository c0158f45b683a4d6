"""Every error that the REST interface can answer with, and what a failed call to a backend becomes: docs/API.md, 6."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from common.calls.failures import RpcFailure

NOT_EXECUTED = "not_executed"
UNKNOWN = "unknown"


class Kind(NamedTuple):
    """What a reason means: HTTP code, gRPC status name, what became of a POSTed order, seconds until a new try."""

    code: int
    status: str
    outcome: str = NOT_EXECUTED
    retry_after_s: int | None = None


KINDS = {
    "MALFORMED_JSON": Kind(400, "INVALID_ARGUMENT"),
    "VALIDATION_FAILED": Kind(400, "INVALID_ARGUMENT"),
    "INVALID_CURSOR": Kind(400, "INVALID_ARGUMENT"),
    "UNAUTHENTICATED": Kind(401, "UNAUTHENTICATED"),
    "PERMISSION_DENIED": Kind(403, "PERMISSION_DENIED"),
    "STOCK_NOT_FOUND": Kind(404, "NOT_FOUND"),
    "ORDER_NOT_FOUND": Kind(404, "NOT_FOUND"),
    "REPLICA_NOT_FOUND": Kind(404, "NOT_FOUND"),
    "JOB_NOT_FOUND": Kind(404, "NOT_FOUND"),
    "PATH_NOT_FOUND": Kind(404, "NOT_FOUND"),
    "METHOD_NOT_ALLOWED": Kind(405, "UNIMPLEMENTED"),
    "NOT_ACCEPTABLE": Kind(406, "INVALID_ARGUMENT"),
    "UNSUPPORTED_MEDIA_TYPE": Kind(415, "INVALID_ARGUMENT"),
    "INSUFFICIENT_STOCK": Kind(409, "FAILED_PRECONDITION"),
    "STOCK_LIMIT": Kind(409, "FAILED_PRECONDITION"),
    "TARGET_NOT_IN_SYNC": Kind(409, "FAILED_PRECONDITION"),
    "REPLICA_LEADS": Kind(409, "FAILED_PRECONDITION"),
    "IDEMPOTENCY_KEY_REUSED": Kind(422, "ALREADY_EXISTS"),
    "RATE_LIMITED": Kind(429, "RESOURCE_EXHAUSTED"),  # its Retry-After is the caller's own
    "INTERNAL": Kind(500, "INTERNAL", UNKNOWN),
    # 503 is sent only when nothing was written. An election takes about two seconds, a restart little more.
    "NO_LEADER": Kind(503, "UNAVAILABLE", retry_after_s=2),
    "CATALOG_UNAVAILABLE": Kind(503, "UNAVAILABLE", retry_after_s=2),
    "OVERLOADED": Kind(503, "RESOURCE_EXHAUSTED", retry_after_s=1),
    "SHUTTING_DOWN": Kind(503, "UNAVAILABLE", retry_after_s=2),
    # These two wait for an operator.
    "DISK_FULL": Kind(503, "RESOURCE_EXHAUSTED", retry_after_s=30),
    "HALTED": Kind(503, "DATA_LOSS", retry_after_s=60),
    "OUTCOME_UNKNOWN": Kind(504, "DEADLINE_EXCEEDED", UNKNOWN),
    "NOT_REPLICATED": Kind(504, "UNAVAILABLE", UNKNOWN),
}

# Reasons of the backends and clients whose REST reason has another name. All others in KINDS keep theirs.
_RENAMED = {
    "UNKNOWN_STOCK": "STOCK_NOT_FOUND",
    "UNKNOWN_ORDER": "ORDER_NOT_FOUND",
    "KEY_REUSED": "IDEMPOTENCY_KEY_REUSED",
    "INVALID_ARGUMENT": "VALIDATION_FAILED",
}

# For each REST reason: the field of the request that is at fault, and what is told of it: (its name here, at the RPC).
_DETAILS: dict[str, tuple[str, tuple[str, str] | None]] = {
    "STOCK_NOT_FOUND": ("name", None),
    "ORDER_NOT_FOUND": ("number", ("latest", "last_number")),
    "INSUFFICIENT_STOCK": ("quantity", ("available", "available")),
    "STOCK_LIMIT": ("quantity", None),
    "TARGET_NOT_IN_SYNC": ("to", None),
    "IDEMPOTENCY_KEY_REUSED": ("client_order_id", ("transaction_number", "transaction_number")),
}


class ApiError(Exception):
    """A request that is answered with an error.

    Attributes:
        reason: a key of KINDS, for programs.
        message: a sentence for people that names the values.
        details: one object for each field at fault, at least with `field`.
    """

    def __init__(self, reason: str, message: str, details: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.details = [dict(detail) for detail in details]

    @property
    def kind(self) -> Kind:
        """The reason's code, status, outcome and waiting time."""
        return KINDS[self.reason]


def error_from_failure(failure: RpcFailure) -> ApiError | None:
    """Return the REST error for a failed call to a backend; None if its reason should never have come this far."""
    reason = _RENAMED.get(failure.reason, failure.reason)
    if getattr(failure, "outcome", NOT_EXECUTED) == UNKNOWN and KINDS.get(reason, KINDS["INTERNAL"]).outcome != UNKNOWN:
        # Whatever went wrong last: once an order may have been executed, the client must hear so.
        reason = "OUTCOME_UNKNOWN"
    if reason not in KINDS:
        return None
    return ApiError(reason, failure.message, _details(reason, failure))


def shown(value: object) -> str:
    """Return a value from a request as a message may show it: printable, as JSON spells it, never long."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str() if len(value) > 40:
            return f"{value[:40]!r}... ({len(value)} characters)"
        case str() | float():
            return repr(value)
        case int():
            return str(value) if abs(value) < 10**40 else "an integer of more than 40 digits"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return f"a {type(value).__name__}"


def _details(reason: str, failure: RpcFailure) -> list[dict[str, Any]]:
    if reason not in _DETAILS:
        return []
    field, told = _DETAILS[reason]
    detail: dict[str, Any] = {"field": field}
    if told is not None and told[1] in failure.metadata:
        detail[told[0]] = failure.number(told[1])
    return [detail]
