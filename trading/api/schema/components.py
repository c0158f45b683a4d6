"""The objects of the interface, as JSON Schema."""

from typing import Any

from common.bounds import MAX_NUMBER, MAX_ORDER_QUANTITY, MAX_PAGE, MAX_PRICE_CENTS, MAX_REPLICA_ID, MAX_STOCK_QUANTITY
from common.calls.reasons import Reason
from common.rows import ORDER_TYPES
from trading.api.errors import NOT_EXECUTED, UNKNOWN
from trading.api.representations import FILLED, NUMBER_FIELDS

Schema = dict[str, Any]

STOCK_NAME_PATTERN = r"^(?!\.{1,2}$)[A-Za-z0-9._-]{1,32}$"
KEY_PATTERN = "^[A-Za-z0-9._:-]{1,64}$"
TIME_EXAMPLE = "2031-04-09T13:05:22.104511Z"
KEY_EXAMPLE = "bot7-000318"

NUMBER: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_NUMBER}
NAME: Schema = {"type": "string", "pattern": STOCK_NAME_PATTERN}
KEY: Schema = {"type": "string", "pattern": KEY_PATTERN}
TIME: Schema = {"type": "string", "format": "date-time"}
TYPE: Schema = {"type": "string", "enum": list(ORDER_TYPES)}
LIMIT: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE}
REPLICA_ID: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_REPLICA_ID}

_PRICE: Schema = {
    "price": {"type": "number", "minimum": 0.01, "maximum": MAX_PRICE_CENTS / 100},
    "price_decimal": {"type": "string", "pattern": r"^[0-9]{1,10}\.[0-9]{2}$", "description": "Compute with this one."},
}


def ref(name: str) -> Schema:
    """Return a reference to one of COMPONENTS."""
    return {"$ref": f"#/components/schemas/{name}"}


def data_of(schema: Schema) -> Schema:
    """Return the schema of an answer whose `data` is this."""
    return whole({"data": schema})


def whole(properties: dict[str, Schema]) -> Schema:
    """Return the schema of an object with these fields, all of them present; more may be added to it some day."""
    return {"type": "object", "required": list(properties), "properties": properties}


def or_null(schema: Schema) -> Schema:
    """Return the schema of a value that may be null."""
    return {**schema, "type": [schema["type"], "null"]}


def _array(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


_NUMBER_NAMES = f"The order's number. The same in {', '.join(NUMBER_FIELDS)}."
_ORDER: dict[str, Schema] = {
    **{name: {**NUMBER, "description": _NUMBER_NAMES} for name in NUMBER_FIELDS},
    "name": NAME,
    "type": TYPE,
    "quantity": {"type": "integer", "minimum": 1, "maximum": MAX_ORDER_QUANTITY},
    **_PRICE,
    "status": {"type": "string", "enum": [FILLED]},
    "client_order_id": KEY,
    "created_at": TIME,
}

_PAGE: dict[str, Schema] = {
    "next": or_null({"type": "string", "description": "Path of the next page; null at the end."}),
    "next_cursor": or_null({"type": "string"}),
    "has_more": {"type": "boolean"},
}

_NUMBER_OR_NULL = or_null({"type": "integer", "minimum": 0})
_FINDINGS: Schema = _array({"type": "string", "description": "What it found wrong with its files, not seen yet."})
_REPLICA: dict[str, Schema] = {
    "id": REPLICA_ID,
    "address": {"type": "string"},
    "role": {"type": ["string", "null"], "enum": ["leader", "follower", "promoting", None]},
    "state": {"type": "string", "enum": ["in-sync", "catching-up", "lagging", "faulty"]},
    "last_number": _NUMBER_OR_NULL,
    "lag": _NUMBER_OR_NULL,
    "rtt_ms": or_null({"type": "number", "minimum": 0}),
    "last_seen": or_null(TIME),
    "error": or_null({"type": "string"}),
    "findings": _FINDINGS,
}

_TOLD = [reason for reason in Reason if reason.http is not None]
_ERROR: dict[str, Schema] = {
    "code": {"type": "integer", "description": "The HTTP status."},
    "status": {
        "type": "string",
        "enum": sorted({reason.code.name for reason in _TOLD}),
        "description": "As in gRPC.",
    },
    "reason": {
        "type": "string",
        "enum": sorted({reason.told_as for reason in _TOLD}),
        "description": "For programs. More may be added.",
    },
    "message": {"type": "string", "description": "For people; may change."},
    "details": _array(
        {
            "type": "object",
            "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            "description": "What is at fault: the field where there is one, and a message or a value.",
        }
    ),
    "request_id": {"type": "string"},
}

COMPONENTS: dict[str, Schema] = {
    "Stock": whole(
        {"name": NAME, **_PRICE, "quantity": {"type": "integer", "minimum": 0, "maximum": MAX_STOCK_QUANTITY}}
    ),
    "Order": whole(_ORDER),
    "NewOrder": {
        "type": "object",
        "required": ["name", "type", "quantity"],
        "additionalProperties": False,
        "properties": {
            "name": NAME,
            "type": TYPE,
            "quantity": _ORDER["quantity"],
            "client_order_id": {
                **KEY,
                "description": "As the header Idempotency-Key; if both are given they are equal.",
            },
        },
    },
    "StockList": whole({"data": _array(ref("Stock")), "page": whole(_PAGE)}),
    "OrderList": whole(
        {"data": _array(ref("Order")), "page": whole({**_PAGE, "latest": {"type": "integer", "minimum": 0}})}
    ),
    "Replica": whole(_REPLICA),
    "Replicas": whole(
        {
            "health": {"type": "string", "enum": ["ok", "degraded", "down"]},
            "min_in_sync": {"type": "integer", "minimum": 1},
            "leader": or_null(REPLICA_ID),
            "epoch": {"type": "integer", "minimum": 0},
            "last_number": {"type": "integer", "minimum": 0},
            "catalog": whole(
                {
                    "address": {"type": "string"},
                    "trades": {"type": "boolean"},
                    "last_number": _NUMBER_OR_NULL,
                    "error": or_null({"type": "string"}),
                    "findings": _FINDINGS,
                }
            ),
            "health_loop": {"type": "boolean", "description": "false: none looks; it is a minute late."},
            "replicas": _array(ref("Replica")),
        }
    ),
    "ResyncJob": whole(
        {
            "id": {"type": "string"},
            "replica": REPLICA_ID,
            "state": {"type": "string", "enum": ["running", "done", "failed"]},
            "done_number": {"type": "integer", "minimum": 0},
            "target_number": {"type": "integer", "minimum": 0},
            "started_at": TIME,
            "error": or_null({"type": "string"}),
        }
    ),
    "NewLeader": {
        "type": "object",
        "required": ["to"],
        "additionalProperties": False,
        "properties": {"to": {**REPLICA_ID, "description": "The replica that is to lead."}},
    },
    "Switchover": whole(
        {"leader": REPLICA_ID, "epoch": {"type": "integer", "minimum": 1}, "previous_leader": REPLICA_ID}
    ),
    "Error": whole({"error": whole(_ERROR)}),
    "OrderError": {
        "description": "The error of an order: it says what became of it.",
        "allOf": [
            ref("Error"),
            {
                "properties": {
                    "error": {
                        "required": ["outcome"],
                        "properties": {
                            "outcome": {"type": "string", "enum": [NOT_EXECUTED, UNKNOWN]},
                            "client_order_id": {
                                **KEY,
                                "description": "The key, the client's or one made by the server; missing if keys were"
                                " given that cannot be used.",
                            },
                        },
                    }
                }
            },
        ],
    },
}

_BEARER = "A token of `manage.py tokens create`; without authentication the operator key, to change something."
SECURITY_SCHEMES: dict[str, Schema] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": _BEARER},
    "session": {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "Of somebody who logged in."},
}

DESCRIPTION = """
Buy and sell stocks. Success is `{"data": ...}`, failure `{"error": {...}}` with a `reason` for programs. Clients ignore
fields and reasons that they do not know. Without authentication (a sandbox) no token is needed. A path that is not here
answers 404 `PATH_NOT_FOUND`, another method 405 `METHOD_NOT_ALLOWED`. The whole contract: docs/API.md.
"""
