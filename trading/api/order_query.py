"""GET /orders: its query string, checked, and the cursors that keep it: docs/API.md, "Lists"."""

import dataclasses
from collections.abc import Callable
from typing import Any

from django.http import QueryDict

from common.rows import ORDER_TYPES
from trading.api.cursors import decode_cursor, encode_cursor, invalid_cursor
from trading.api.errors import ApiError, shown
from trading.api.query_fields import (
    DEFAULT_PAGE,
    FieldProblem,
    QueryProblems,
    known_parameters,
    read_key,
    read_limit,
    read_name,
    read_number,
    read_time,
)
from trading.api.representations import FILLED
from trading.reads.order_query import OrderFilters, OrderQuery

CURSOR_KIND = "o1"
_POSITION = "at"


def order_cursor(filters: OrderFilters, position: int) -> str:
    """Return the cursor of the page that goes on from `position`, with the same filters."""
    pairs: list[tuple[str, str]] = []
    for field in dataclasses.fields(filters):
        value = getattr(filters, field.name)
        if value != field.default:
            texts = value if isinstance(value, tuple) else (str(value),)
            pairs += [(field.name, text) for text in texts]
    return encode_cursor(CURSOR_KIND, [*pairs, (_POSITION, str(position))])


def read_order_query(params: QueryDict) -> OrderQuery:
    """Return the query that a request's parameters ask for; all of them are known.

    With a cursor, filters may be given again but must be those it keeps.

    Raises:
        ApiError: VALIDATION_FAILED naming every parameter at fault; INVALID_CURSOR.
    """
    problems = QueryProblems()
    filters = _read_filters(params, problems)
    limit = DEFAULT_PAGE
    if "limit" in params:
        limit = _read(read_limit, "limit", params["limit"], problems) or DEFAULT_PAGE
    problems.raise_if_any()
    if "cursor" not in params:
        return OrderQuery(filters, None, limit)
    kept, position = _open_cursor(params["cursor"])
    for name in params:
        if name in _READERS and getattr(filters, name) != getattr(kept, name):
            problems.add(name, "is not the filter that the cursor keeps")
    problems.raise_if_any()
    return OrderQuery(kept, position, limit)


def _read_filters(params: QueryDict, problems: QueryProblems) -> OrderFilters:
    values: dict[str, Any] = {}
    for field, reader in _READERS.items():
        if field in params:
            texts = params.getlist(field)
            read = [_read(reader, field, text, problems) for text in texts]
            values[field] = tuple(dict.fromkeys(read)) if field == "name" else read[0]
    return OrderFilters(**values)


def _read(reader: Callable[[str], Any], field: str, text: str, problems: QueryProblems) -> Any:
    try:
        return reader(text)
    except FieldProblem as problem:
        problems.add(field, str(problem))
        return None


def _open_cursor(cursor: str) -> tuple[OrderFilters, int]:
    """Return what a cursor keeps: checked like a query, for anybody can write one."""
    params = QueryDict(mutable=True)
    for name, text in decode_cursor(CURSOR_KIND, cursor):
        params.appendlist(name, text)
    problems = QueryProblems()
    known_parameters(params, {*_READERS, _POSITION}, {"name"}, problems)
    filters = _read_filters(params, problems)
    position = _read(read_number, _POSITION, params.get(_POSITION, ""), problems)
    try:
        problems.raise_if_any()
    except ApiError as error:
        raise invalid_cursor() from error
    if not position:
        raise invalid_cursor()
    return filters, position


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise FieldProblem(f"{shown(text)} is not {' or '.join(map(repr, allowed))}")
        return text

    return read


_READERS: dict[str, Callable[[str], Any]] = {
    "name": read_name,
    "type": _one_of(*ORDER_TYPES),
    "client_order_id": read_key,
    "status": _one_of(FILLED),
    "after": read_time,
    "until": read_time,
    "after_number": read_number,
    "direction": _one_of("desc", "asc"),
}
