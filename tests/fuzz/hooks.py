"""What OpenAPI cannot say of a request: read by schemathesis (SCHEMATHESIS_HOOKS)."""

import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode

from trading.api import order_query, stock_query
from trading.api.cursors import encode_cursor

_CURSORS = {
    "/orders": [encode_cursor(order_query.CURSOR_KIND, [("at", str(number))]) for number in (1, 2, 50)],
    "/stocks": [stock_query.stock_cursor(name) for name in ("A", "B01.T", "zzz")],
}
# Of tests.harness.seeds.write_seed: made-up names would never get past "no such stock".
_STOCKS = [f"{chr(65 + number)}00.T" for number in range(26)]

schemathesis.openapi.format("order-cursor", st.sampled_from(_CURSORS["/orders"]))
schemathesis.openapi.format("stock-cursor", st.sampled_from(_CURSORS["/stocks"]))


@schemathesis.hook
def map_case(_context, case):
    """Return the case, made one that is valid beyond its schema if it was meant to be valid."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return case
    if case.headers:
        case.headers.pop("X-Sandbox-Fault", None)  # a fault is no valid request where faults are off
    if case.query and "cursor" in case.query:
        _make_page(case.query, _CURSORS[case.operation.path])
    if case.operation.method == "post" and isinstance(case.body, dict):
        _make_body(case.body, case.headers or {})
    return case


@schemathesis.hook
def before_call(context, case, _arguments):
    """The same for what was put in from an earlier answer, after the case was made."""
    map_case(context, case)


def _make_page(query, cursors):
    """Beside a cursor, which keeps its filters, there are no others."""
    if query["cursor"] not in cursors:
        query["cursor"] = cursors[0]
    for name in query.keys() - {"cursor", "limit"}:
        del query[name]


def _make_body(body, headers):
    """A key is named once; 3.0 is no integer here, although JSON Schema calls it one; half of the stocks exist."""
    if "Idempotency-Key" in headers:
        body.pop("client_order_id", None)
    for field in body.keys() & {"quantity", "to"}:
        if isinstance(body[field], float):
            body[field] = int(body[field])
    if body.get("name") and ord(body["name"][0]) % 2:
        body["name"] = _STOCKS[ord(body["name"][0]) % len(_STOCKS)]
