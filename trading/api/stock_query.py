"""GET /stocks: its query string and its cursors; the counterpart of order_query.py."""

from dataclasses import dataclass

from django.http import QueryDict

from common.bounds import HELD_STOCK_NAME
from trading.api.cursors import decode_cursor, encode_cursor, invalid_cursor
from trading.api.query_fields import DEFAULT_PAGE, FieldProblem, QueryProblems, read_limit

CURSOR_KIND = "s1"
_POSITION = "after"


@dataclass(frozen=True)
class StockQuery:
    """One page of the stocks by name: those after `after_name` ("": from the first), at most `limit`."""

    after_name: str
    limit: int


def read_stock_query(params: QueryDict) -> StockQuery:
    """Return the query that a request's parameters ask for.

    Raises:
        ApiError: VALIDATION_FAILED, INVALID_CURSOR.
    """
    problems = QueryProblems()
    limit = DEFAULT_PAGE
    try:
        limit = read_limit(params.get("limit", str(DEFAULT_PAGE)))
    except FieldProblem as problem:
        problems.add("limit", str(problem))
    problems.raise_if_any()
    return StockQuery(_open_cursor(params["cursor"]) if "cursor" in params else "", limit)


def stock_cursor(after_name: str) -> str:
    """Return the cursor of the page that begins after this stock."""
    return encode_cursor(CURSOR_KIND, [(_POSITION, after_name)])


def _open_cursor(cursor: str) -> str:
    match decode_cursor(CURSOR_KIND, cursor):
        case [(name, after_name)] if name == _POSITION and HELD_STOCK_NAME.fullmatch(after_name):
            return after_name
    raise invalid_cursor()
