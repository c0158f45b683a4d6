"""GET /events."""

import json
from typing import Any

from django.http import StreamingHttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from common.calls.reasons import Reason
from trading.accounts.account import account_of
from trading.api.api_view import ApiView
from trading.api.renderers import ExactJSONRenderer
from trading.api.schema import components, examples, parameters
from trading.api.schema.operations import operation
from trading.events.hub import event_hub
from trading.events.query import read_event_query
from trading.events.ring import TYPES

MEDIA_TYPE = "text/event-stream"

# Not with the others in trading.api.schema.operations: the types of events are known here.
_described = operation(
    "followEvents",
    "Live updates, as server-sent events",
    tag="events",
    takes=[
        parameters.query(
            "types",
            {"type": "array", "items": {"type": "string", "enum": list(TYPES)}},
            "All, unless given.",
            explode=False,
        ),
        parameters.query("name", {"type": "array", "items": components.NAME}, "Stocks; may be repeated.", explode=True),
        parameters.header(
            "Last-Event-ID", "The id of the last event that was seen: those since then follow, or one `reset`."
        ),
    ],
    answer={"type": "string"},
    example="id: 9f2a01c7-318\nevent: stock\ndata: " + json.dumps(examples.STOCK) + "\n\n",
    media_type=MEDIA_TYPE,
    reasons=[Reason.SHUTTING_DOWN],
)


class _EventStreamErrors(ExactJSONRenderer):
    """What a client that accepts event streams gets instead of one: the error, as JSON."""

    media_type = MEDIA_TYPE


class EventsView(ApiView):
    """Live updates as server-sent events. Parameters: types, name (repeatable)."""

    renderer_classes = [_EventStreamErrors]

    def get_view_name(self) -> str:
        """Return the page's heading."""
        return "Events"

    @_described
    def get(self, request: Request) -> StreamingHttpResponse:
        """Answer with a stream that ends when the client or this process does."""
        query = read_event_query(request.query_params, account_of(request))
        return _response(event_hub().open(query, request.headers.get("Last-Event-ID")))

    @_described
    def head(self, request: Request) -> StreamingHttpResponse:
        """Answer with a stream's headers, and open none."""
        read_event_query(request.query_params, account_of(request))
        return _response([])

    def handle_exception(self, exc: Exception) -> Response:
        """Answer an error as JSON, whatever was accepted."""
        response = super().handle_exception(exc)
        response.content_type = "application/json"
        return response


def _response(pieces: Any) -> StreamingHttpResponse:
    # Proxies that gather an answer before they pass it on (nginx) are told not to.
    return StreamingHttpResponse(pieces, content_type=MEDIA_TYPE, headers={"X-Accel-Buffering": "no"})
