"""The id of the REST request that the present thread works for: in its log lines, and for the calls it makes.

A thread that works for no request, or for several at once, has none.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from structlog.typing import EventDict

# The key under which a call carries the id in its gRPC metadata.
METADATA_KEY = "x-request-id"
VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")

_request_id: ContextVar[str] = ContextVar("bourse_request_id", default="")


def current_request_id() -> str:
    """Return the id, "" when there is none. 1 to 64 characters of `A-Z a-z 0-9 . _ : -`."""
    return _request_id.get()


@contextmanager
def working_for(request_id: str) -> Iterator[None]:
    """Have this thread work for a request inside a `with` block; afterwards it is as it was before."""
    token = _request_id.set(request_id)
    try:
        yield
    finally:
        _request_id.reset(token)


def work_for(request_id: str) -> None:
    """Have this context work for a request from now on. Only for a context that ends with the request's work."""
    _request_id.set(request_id)


def add_request_id(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Add the id to a log line, as a structlog processor, unless the line names one itself."""
    if request_id := _request_id.get():
        event.setdefault("request_id", request_id)
    return event
