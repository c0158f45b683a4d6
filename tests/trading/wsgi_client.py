"""Requests of a test client go the way that those of a server go: plain ones are answered before Django."""

from collections.abc import Callable, Iterable
from typing import Any

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse

from trading.api.plain_requests import PlainRequests


class BehindPlainRequests:
    """Stands before a test client's handler, which is Django without the WSGI application around it.

    Attributes:
        answered_plainly: for each request, whether it never came to Django.
    """

    def __init__(self, handler: Any) -> None:
        self._handler = handler
        self.answered_plainly: list[bool] = []

    def __call__(self, environ: dict[str, Any]) -> HttpResponse:
        by_django: list[HttpResponse] = []
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def django(environ: dict[str, Any], _start_response: Callable[..., Any]) -> Iterable[bytes]:
            by_django.append(self._handler(environ))
            return []

        body = b"".join(PlainRequests(django)(environ, lambda *start: started.append(start)))
        self.answered_plainly.append(not by_django)
        if by_django:
            return by_django[0]
        ((status, headers),) = started
        response = HttpResponse(body, status=int(status.split()[0]), headers=dict(headers))
        response.wsgi_request = WSGIRequest(environ)  # the client expects it
        return response
