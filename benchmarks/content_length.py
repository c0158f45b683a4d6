"""Says the length of an answer, as Bourse's own do: without it the server sends it in chunks."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


def content_length(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Django middleware."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["Content-Length"] = str(len(response.content))
        return response

    return middleware
