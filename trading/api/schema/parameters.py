"""The parameters and headers of the operations."""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter

from trading.api.representations import FILLED
from trading.api.schema import components
from trading.api.schema.components import Schema

_INTEGER: Schema = {"type": "integer"}
_TEXT: Schema = {"type": "string"}


def query(name: str, schema: Schema, description: str, **options: Any) -> OpenApiParameter:
    """Return a parameter of the query string."""
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, description=description, **options)


def path(name: str, schema: Schema, description: str, example: Any) -> OpenApiParameter:
    """Return a parameter in the path."""
    examples = [OpenApiExample("example", value=example)]
    return OpenApiParameter(
        name, schema, OpenApiParameter.PATH, required=True, description=description, examples=examples
    )


def header(name: str, description: str, schema: Schema = _TEXT) -> OpenApiParameter:
    """Return a header of the request."""
    return OpenApiParameter(name, schema, OpenApiParameter.HEADER, description=description)


def answer_header(
    name: str, codes: Sequence[int] | bool, description: str, schema: Schema = _TEXT, *, always: bool = False
) -> OpenApiParameter:
    """Return a header of the answers with these codes, or with any: True; `always`: never without it."""
    return OpenApiParameter(
        name, schema, OpenApiParameter.HEADER, description=description, required=always, response=codes
    )


EVERYWHERE = [
    header("X-Request-Id", "1 to 64 characters of A-Z a-z 0-9 . _ : -; another one counts as none, and one is made."),
    answer_header("X-Request-Id", True, "The request's own id, or one made here.", always=True),
]
LIMITED = [
    answer_header("X-RateLimit-Limit", True, "Requests in one window; only where limits are on.", _INTEGER),
    answer_header("X-RateLimit-Remaining", True, "How many are left in it.", _INTEGER),
    answer_header("X-RateLimit-Reset", True, "When it ends, in Unix seconds.", _INTEGER),
    answer_header("Retry-After", [429, 503], "Seconds.", _INTEGER, always=True),
    answer_header("WWW-Authenticate", [401], "Bearer", always=True),
]


def page(cursor_format: str) -> list[OpenApiParameter]:
    """Return what chooses the page of a list; the cursors of one list are none of another's."""
    cursor = {"type": "string", "format": cursor_format}
    return [
        query("limit", {**components.LIMIT, "default": 50}, "Size of a page."),
        query("cursor", cursor, "`next_cursor` of a page. It keeps that list's filters; others are refused beside it."),
    ]


ORDER_FILTERS = [
    query("name", {"type": "array", "items": components.NAME}, "Stocks; may be repeated.", explode=True),
    query("type", components.TYPE, ""),
    query("client_order_id", components.KEY, "The order with this key, if there is one."),
    query("status", {"type": "string", "enum": [FILLED]}, ""),
    query("after", components.TIME, "Made after this time, exclusive; with an offset."),
    query("until", components.TIME, "Made before this time, exclusive; with an offset."),
    query("after_number", {**components.NUMBER, "minimum": 0}, "Above this number, exclusive."),
    query("direction", {"type": "string", "enum": ["desc", "asc"], "default": "desc"}, "Newest first, or oldest."),
]
