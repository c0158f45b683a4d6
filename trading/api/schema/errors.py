"""The errors of an operation: a response for each code, with its reasons and an example of each."""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse

from common.calls.reasons import Reason
from trading.api.errors import outcome_of
from trading.api.schema.components import KEY_EXAMPLE, ref

# What any operation may answer, whatever it does.
ANYWHERE = (
    Reason.INVALID_ARGUMENT,
    Reason.NOT_ACCEPTABLE,
    Reason.UNSUPPORTED_MEDIA_TYPE,
    Reason.RATE_LIMITED,
    Reason.INTERNAL,
    Reason.OVERLOADED,
)
WITH_BODY = (Reason.MALFORMED_JSON, Reason.BODY_LATE, Reason.SHUTTING_DOWN)
WITH_AUTHENTICATION = (Reason.UNAUTHENTICATED, Reason.PERMISSION_DENIED)
READING = (Reason.NO_LEADER, Reason.CATALOG, Reason.HALTED)

_EXAMPLES: dict[Reason, tuple[str, list[dict[str, Any]]]] = {
    Reason.MALFORMED_JSON: ("The body is not JSON: Expecting value: line 1 column 1 (char 0).", []),
    Reason.INVALID_ARGUMENT: (
        "quantity: 0 is not an integer from 1 to 1000000000",
        [{"field": "quantity", "message": "0 is not an integer from 1 to 1000000000"}],
    ),
    Reason.INVALID_CURSOR: ("The cursor is not one that this list has given.", [{"field": "cursor"}]),
    Reason.UNAUTHENTICATED: ("Authentication credentials were not provided.", []),
    Reason.PERMISSION_DENIED: ("This needs an account with the role 'trader'.", []),
    Reason.UNKNOWN_STOCK: ("no stock is named 'AAPLE'", [{"field": "name"}]),
    Reason.UNKNOWN_ORDER: ("order 62 does not exist yet; the last one is 61", [{"field": "number", "latest": 61}]),
    Reason.PATH_NOT_FOUND: ("Nothing is at '/stock'; GET / lists what there is.", []),
    Reason.METHOD_NOT_ALLOWED: ("Method DELETE not allowed.", []),
    Reason.NOT_ACCEPTABLE: ("Could not satisfy the request Accept header.", []),
    Reason.UNSUPPORTED_MEDIA_TYPE: ("Unsupported media type text/plain in request.", []),
    Reason.INSUFFICIENT_STOCK: ("stock 'AAPL': 2 left, 3 asked", [{"field": "quantity", "available": 2}]),
    Reason.STOCK_LIMIT: ("stock 'AAPL' would hold more than 1000000000000000", [{"field": "quantity"}]),
    Reason.REPLICA_NOT_FOUND: ("replica 9 is not in BOURSE_REPLICAS; there are [1, 2, 3]", []),
    Reason.JOB_NOT_FOUND: ("no resync of replica 2 was asked of this process", []),
    Reason.TARGET_NOT_IN_SYNC: ("replica 1 is not in sync: catching up, at order 42 of 61", []),
    Reason.REPLICA_LEADS: ("replica 3 leads: it is what the others are compared with", []),
    Reason.KEY_REUSED: (
        "key 'bot7-000318' names another order",
        [{"field": "client_order_id", "transaction_number": 57}],
    ),
    Reason.BODY_LATE: ("The body ended after 1 of its 50 bytes, and no more came in time.", []),
    Reason.RATE_LIMITED: ("Request was throttled. Expected available in 1 second.", []),
    Reason.INTERNAL: ("The server failed. Please report the request id.", []),
    Reason.NO_LEADER: ("no order replica answers", []),
    Reason.CATALOG: ("The catalog cannot be reached.", []),
    Reason.OVERLOADED: ("too many orders wait", []),
    Reason.SHUTTING_DOWN: ("This frontend is stopping; nothing was done.", []),
    Reason.DISK_FULL: ("the disk of the catalog is full", []),
    Reason.HALTED: ("trading is halted until an operator acts", []),
    Reason.OUTCOME_UNKNOWN: ("It is not known whether the order was executed: no answer in time", []),
    Reason.NOT_REPLICATED: ("It is not known whether the order was executed: too few replicas hold it", []),
}


def errors(reasons: Iterable[Reason], *, of_order: bool = False) -> dict[tuple[int, str], OpenApiResponse]:
    """Return a response for each code that these reasons have; `of_order`: they tell what became of an order."""
    by_code: dict[int, list[Reason]] = {}
    for reason in sorted(set(reasons), key=lambda one: one.told_as):
        assert reason.http is not None, reason
        by_code.setdefault(reason.http, []).append(reason)
    return {(code, "application/json"): _response(code, by_code[code], of_order) for code in sorted(by_code)}


def _response(code: int, reasons: list[Reason], of_order: bool) -> OpenApiResponse:
    names = [reason.told_as for reason in reasons]
    narrowed = {"code": {"const": code}, "reason": {"enum": names}}
    schema = {
        "allOf": [ref("OrderError" if of_order else "Error"), {"properties": {"error": {"properties": narrowed}}}]
    }
    examples = [OpenApiExample(reason.told_as, value=example(reason, of_order=of_order)) for reason in reasons]
    return OpenApiResponse(schema, description=", ".join(names), examples=examples)


def example(reason: Reason, *, of_order: bool) -> dict[str, Any]:
    """Return the body of an answer with this reason."""
    message, details = _EXAMPLES[reason]
    told = {"outcome": outcome_of(reason), "client_order_id": KEY_EXAMPLE} if of_order else {}
    body = {"code": reason.http, "status": reason.code.name, "reason": reason.told_as, "message": message}
    return {"error": body | told | {"details": details, "request_id": "9317fb2d176d4c0c"}}
