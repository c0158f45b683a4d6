"""What an operation takes from a request. What a caller says beside that is refused by name, never passed over.

A caller whose key, filter or dry run were ignored would take the answer for another one.
"""

from collections.abc import Iterable
from typing import NamedTuple

from django.http import HttpRequest
from drf_spectacular.utils import OpenApiParameter

from common.calls.reasons import Reason
from trading.api.errors import ApiError, shown
from trading.api.query_fields import QueryProblems, known_parameters

_KEY = "the key of an order goes into the header Idempotency-Key of POST /orders"
_METHOD = "the method of the request itself counts"
_DRY_RUN = "nothing is only tried here"
# Headers by which callers ask for something that few operations do, or none.
MEANT_HEADERS = {
    "Idempotency-Key": _KEY,
    "X-Idempotency-Key": _KEY,
    "Idempotency-Token": _KEY,
    "X-Idempotency-Token": _KEY,
    "Client-Order-Id": _KEY,
    "X-Client-Order-Id": _KEY,
    "X-HTTP-Method-Override": _METHOD,
    "X-HTTP-Method": _METHOD,
    "X-Method-Override": _METHOD,
    "Dry-Run": _DRY_RUN,
    "X-Dry-Run": _DRY_RUN,
    "X-Sandbox-Fault": "only an order of POST /orders can be asked to fail, in a sandbox",
}


class Accepted(NamedTuple):
    """Names of query parameters, those of them that may be repeated, and headers out of MEANT_HEADERS."""

    parameters: frozenset[str] = frozenset()
    repeatable: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()


def accepted_of(parameters: Iterable[OpenApiParameter]) -> Accepted:
    """Return what an operation accepts by its own description in the OpenAPI document."""
    asked = [one for one in parameters if not one.response]
    in_query = [one for one in asked if one.location == OpenApiParameter.QUERY]
    return Accepted(
        parameters=frozenset(one.name for one in in_query),
        repeatable=frozenset(one.name for one in in_query if one.explode),
        headers=frozenset(one.name for one in asked if one.location == OpenApiParameter.HEADER),
    )


def refuse_unaccepted(request: HttpRequest, accepted: Accepted) -> None:
    """Return if the request says nothing that its operation would pass over.

    Raises:
        ApiError: UNSUPPORTED_MEDIA_TYPE for a body that is encoded; VALIDATION_FAILED naming all that is not taken.
    """
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.strip().lower() not in ("", "identity"):
        message = f"Content-Encoding is {shown(encoding)}: bodies are read as they are, send this one without it."
        raise ApiError(Reason.UNSUPPORTED_MEDIA_TYPE, message, [{"field": "Content-Encoding", "message": message}])
    problems = QueryProblems()
    known_parameters(request.GET, accepted.parameters, accepted.repeatable, problems)
    for name in MEANT_HEADERS.keys() - accepted.headers:
        if name in request.headers:
            problems.add(name, f"is not looked at here: {MEANT_HEADERS[name]}")
    if request.method in ("GET", "HEAD") and has_body(request.META):
        problems.add("body", f"is not read with {request.method}: parameters go into the query")
    problems.raise_if_any()


def has_body(meta: dict[str, str]) -> bool:
    """Whether a request's headers, as WSGI names them, announce a body."""
    return meta.get("CONTENT_LENGTH", "") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in meta
