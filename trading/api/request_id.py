"""One id for each request: in its answer, in its errors, in log lines and in the calls that are made for it."""

import random
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from common.process.request_context import VALID_REQUEST_ID, working_for

HEADER = "X-Request-Id"


def request_id(request: HttpRequest) -> str:
    """Return the id of a request that has come through the middleware, "" for another one."""
    return str(getattr(request, "bourse_request_id", ""))


def usable_id(given: str) -> str:
    """Return the id that a request was given if it is valid, else a new one."""
    # Not a secret: it need only differ from those of the other requests.
    return given if VALID_REQUEST_ID.fullmatch(given) else f"{random.getrandbits(64):016x}"


class RequestIdMiddleware:
    """Takes the request's own X-Request-Id if it is valid, else makes one, and writes it on the answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.bourse_request_id = usable_id(request.META.get("HTTP_X_REQUEST_ID", ""))
        with working_for(request.bourse_request_id):
            response = self._get_response(request)
        response[HEADER] = request.bourse_request_id
        return response
