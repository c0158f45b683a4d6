"""GET /events: who may have which stream. The edge sends it in its loop; under a WSGI server a thread does."""

import json

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from common.calls.reasons import Reason
from trading.accounts.account import account_of
from trading.api.api_view import IN_LOOP, ApiView
from trading.api.renderers import ExactJSONRenderer
from trading.api.schema import components, examples, parameters
from trading.api.schema.operations import operation
from trading.events.hub import event_hub
from trading.events.query import PLACE_PARAMETERS, read_event_query, read_last_event_id
from trading.events.topics import TYPES

MEDIA_TYPE = "text/event-stream"

# Proxies that gather an answer before they pass it on (nginx) are told not to.
_HEADERS = {"X-Accel-Buffering": "no"}
_PLACE = "The id of the last event that was seen: those since then follow, or one `reset`."

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
        parameters.header("Last-Event-ID", _PLACE),
        *(
            parameters.query(name, {"type": "string"}, "As the header Last-Event-ID, which goes first.")
            for name in PLACE_PARAMETERS
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
    def get(self, request: Request) -> HttpResponseBase:
        """Answer with a stream that ends when the client or this process does."""
        query = read_event_query(request.query_params, account_of(request))
        last_event_id = read_last_event_id(request.headers.get("Last-Event-ID"), request.query_params)
        is_in_loop = IN_LOOP in request.META  # then the stream is sent there, and this answer has no body
        stream = event_hub().open(query, last_event_id, holds_thread=not is_in_loop)
        if is_in_loop:
            response = HttpResponse(content_type=MEDIA_TYPE, headers=_HEADERS)
            response.event_stream = stream
            return response
        stream.wait_to_begin()
        return StreamingHttpResponse(stream, content_type=MEDIA_TYPE, headers=_HEADERS)

    @_described
    def head(self, request: Request) -> HttpResponse:
        """Answer with a stream's headers, and open none."""
        read_event_query(request.query_params, account_of(request))
        return HttpResponse(content_type=MEDIA_TYPE, headers=_HEADERS)

    def handle_exception(self, exc: Exception) -> Response:
        """Answer an error as JSON, whatever was accepted."""
        response = super().handle_exception(exc)
        response.content_type = "application/json"
        return response
