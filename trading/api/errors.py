"""Every error that the REST interface can answer with, and what a failed call to a backend becomes: docs/API.md, 6."""

from collections.abc import Mapping, Sequence
from typing import Any

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason

NOT_EXECUTED = "not_executed"
UNKNOWN = "unknown"

# The field of the request that is at fault, and what is told of it: (its name here, at the RPC).
_DETAILS: dict[Reason, tuple[str, tuple[str, str] | None]] = {
    Reason.UNKNOWN_STOCK: ("name", None),
    Reason.UNKNOWN_ORDER: ("number", ("latest", "last_number")),
    Reason.INSUFFICIENT_STOCK: ("quantity", ("available", "available")),
    Reason.STOCK_LIMIT: ("quantity", None),
    Reason.TARGET_NOT_IN_SYNC: ("to", None),
    Reason.KEY_REUSED: ("client_order_id", ("transaction_number", "transaction_number")),
}


class ApiError(Exception):
    """A request that is answered with an error.

    Attributes:
        reason: one that REST tells: with an HTTP status.
        message: a sentence for people that names the values.
        details: one object for each field at fault, at least with `field`.
        is_news: whether it is logged if it is a failure of ours. An answer to a probe is not: it asks again and again.
    """

    def __init__(
        self, reason: Reason, message: str, details: Sequence[Mapping[str, Any]] = (), *, is_news: bool = True
    ) -> None:
        super().__init__(message)
        self.is_news = is_news
        self.reason = reason
        self.message = message
        self.details = [dict(detail) for detail in details]

    @property
    def code(self) -> int:
        """The HTTP status."""
        assert self.reason.http is not None, self.reason
        return self.reason.http

    @property
    def outcome(self) -> str:
        """What became of a POSTed order."""
        return outcome_of(self.reason)


def outcome_of(reason: Reason) -> str:
    """Return what an answer with this reason says of a POSTed order."""
    return UNKNOWN if reason.may_be_executed else NOT_EXECUTED


def error_from_failure(failure: RpcFailure) -> ApiError | None:
    """Return the REST error for a failed call to a backend; None if its reason should never have come this far."""
    reason = failure.reason
    if failure.may_be_executed and not reason.may_be_executed:
        # Whatever went wrong last: once an order may have been executed, the client must hear so.
        reason = Reason.OUTCOME_UNKNOWN
    if reason.http is None:
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


def shown_field(name: str) -> str:
    """Return the name that a request gave to a field, as an answer may carry it: printable, and not long."""
    return name if name.isprintable() and len(name) <= 40 else shown(name)


def _details(reason: Reason, failure: RpcFailure) -> list[dict[str, Any]]:
    if reason not in _DETAILS:
        return []
    field, told = _DETAILS[reason]
    detail: dict[str, Any] = {"field": field}
    if told is not None and told[1] in failure.metadata:
        detail[told[0]] = failure.number(told[1])
    return [detail]
