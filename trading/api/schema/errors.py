"""The errors of an operation: a response for each code, with its reasons and an example of each."""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse

from trading.api.errors import KINDS
from trading.api.schema.components import KEY_EXAMPLE, ref

# What any operation may answer, whatever it does.
ANYWHERE = ("VALIDATION_FAILED", "NOT_ACCEPTABLE", "RATE_LIMITED", "INTERNAL", "OVERLOADED")
WITH_AUTHENTICATION = ("UNAUTHENTICATED", "PERMISSION_DENIED")
READING = ("NO_LEADER", "CATALOG_UNAVAILABLE", "HALTED")

_EXAMPLES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "MALFORMED_JSON": ("The body is not JSON: Expecting value: line 1 column 1 (char 0).", []),
    "VALIDATION_FAILED": (
        "quantity: 0 is not an integer from 1 to 1000000000",
        [{"field": "quantity", "message": "0 is not an integer from 1 to 1000000000"}],
    ),
    "INVALID_CURSOR": ("The cursor is not one that this list has given.", [{"field": "cursor"}]),
    "UNAUTHENTICATED": ("Authentication credentials were not provided.", []),
    "PERMISSION_DENIED": ("This needs an account with the role 'trader'.", []),
    "STOCK_NOT_FOUND": ("no stock is named 'AAPLE'", [{"field": "name"}]),
    "ORDER_NOT_FOUND": ("order 62 does not exist yet; the last one is 61", [{"field": "number", "latest": 61}]),
    "PATH_NOT_FOUND": ("Nothing is at '/stock'; GET / lists what there is.", []),
    "METHOD_NOT_ALLOWED": ("Method DELETE not allowed.", []),
    "NOT_ACCEPTABLE": ("Could not satisfy the request Accept header.", []),
    "UNSUPPORTED_MEDIA_TYPE": ("Unsupported media type text/plain in request.", []),
    "INSUFFICIENT_STOCK": ("stock 'AAPL': 2 left, 3 asked", [{"field": "quantity", "available": 2}]),
    "STOCK_LIMIT": ("stock 'AAPL' would hold more than 1000000000000000", [{"field": "quantity"}]),
    "REPLICA_NOT_FOUND": ("replica 9 is not in BOURSE_REPLICAS; there are [1, 2, 3]", []),
    "JOB_NOT_FOUND": ("no resync of replica 2 was asked of this process", []),
    "TARGET_NOT_IN_SYNC": ("replica 1 is not in sync: catching up, at order 42 of 61", []),
    "REPLICA_LEADS": ("replica 3 leads: it is what the others are compared with", []),
    "IDEMPOTENCY_KEY_REUSED": (
        "key 'bot7-000318' names another order",
        [{"field": "client_order_id", "transaction_number": 57}],
    ),
    "RATE_LIMITED": ("Request was throttled. Expected available in 1 second.", []),
    "INTERNAL": ("The server failed. Please report the request id.", []),
    "NO_LEADER": ("no order replica answers", []),
    "CATALOG_UNAVAILABLE": ("The catalog cannot be reached.", []),
    "OVERLOADED": ("too many orders wait", []),
    "SHUTTING_DOWN": ("This frontend is stopping; nothing was done.", []),
    "DISK_FULL": ("the disk of the catalog is full", []),
    "HALTED": ("trading is halted until an operator acts", []),
    "OUTCOME_UNKNOWN": ("It is not known whether the order was executed: no answer in time", []),
    "NOT_REPLICATED": ("It is not known whether the order was executed: too few replicas hold it", []),
}


def errors(reasons: Iterable[str], *, of_order: bool = False) -> dict[tuple[int, str], OpenApiResponse]:
    """Return a response for each code that these reasons have; `of_order`: they tell what became of an order."""
    by_code: dict[int, list[str]] = {}
    for reason in sorted(set(reasons)):
        by_code.setdefault(KINDS[reason].code, []).append(reason)
    return {(code, "application/json"): _response(code, by_code[code], of_order) for code in sorted(by_code)}


def _response(code: int, reasons: list[str], of_order: bool) -> OpenApiResponse:
    narrowed = {"code": {"const": code}, "reason": {"enum": reasons}}
    schema = {
        "allOf": [ref("OrderError" if of_order else "Error"), {"properties": {"error": {"properties": narrowed}}}]
    }
    examples = [OpenApiExample(reason, value=example(reason, of_order=of_order)) for reason in reasons]
    return OpenApiResponse(schema, description=", ".join(reasons), examples=examples)


def example(reason: str, *, of_order: bool) -> dict[str, Any]:
    """Return the body of an answer with this reason."""
    kind = KINDS[reason]
    message, details = _EXAMPLES[reason]
    told = {"outcome": kind.outcome, "client_order_id": KEY_EXAMPLE} if of_order else {}
    body = {"code": kind.code, "status": kind.status, "reason": reason, "message": message}
    return {"error": body | told | {"details": details, "request_id": "9317fb2d176d4c0c"}}
