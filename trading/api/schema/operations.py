"""What the document says of each operation: decorators for the methods of the views."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from common.calls.reasons import Reason
from trading.accounts.account import OPEN
from trading.api.accepted import accepted_of
from trading.api.schema import components, examples, parameters
from trading.api.schema.components import Schema, data_of, ref
from trading.api.schema.errors import ANYWHERE, READING, WITH_AUTHENTICATION, WITH_BODY, errors
from trading.api.schema.parameters import answer_header, header, path

JSON = "application/json"
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def operation(
    operation_id: str,
    summary: str,
    *,
    answer: Schema,
    example: Any,
    tag: str,
    code: int = 200,
    reasons: Iterable[Reason] = (),
    takes: Sequence[OpenApiParameter] = (),
    request: Any = None,
    sent: Any = None,
    role: str = "any",
    of_order: bool = False,
    media_type: str = JSON,
) -> Decorator:
    """Return the decorator that describes one operation, and so says what it accepts; `reasons` are its own errors,
    beside those of all; `sent` is an example of a body."""
    common: tuple[Reason, ...] = ANYWHERE
    told = [*takes, *parameters.EVERYWHERE]
    if role != OPEN:
        common += WITH_AUTHENTICATION
        told += parameters.LIMITED
    if request is not None:
        common += WITH_BODY
    sends = [] if sent is None else [OpenApiExample(summary, value=sent, request_only=True)]
    shown = OpenApiExample(operation_id, value=example)
    describe = extend_schema(
        operation_id=operation_id,
        summary=summary,
        tags=[tag],
        parameters=told,
        request=request,
        examples=sends,
        responses={
            (code, media_type): OpenApiResponse(answer, description=summary, examples=[shown]),
            **errors([*common, *reasons], of_order=of_order),
        },
        auth=[],
        extensions={"x-role": role},
    )

    def decorate(method: Callable[..., Any]) -> Callable[..., Any]:
        method.accepted = accepted_of(told)  # type: ignore[attr-defined]
        described: Callable[..., Any] = describe(method)
        return described

    return decorate


index = operation(
    "index",
    "The paths of the interface",
    tag="about",
    answer=data_of({"type": "object", "additionalProperties": {"type": "string"}}),
    example={"data": {"stocks": "/stocks", "orders": "/orders"}},
)
list_stocks = operation(
    "listStocks",
    "A page of the stocks, by name",
    tag="stocks",
    takes=parameters.page("stock-cursor"),
    answer=ref("StockList"),
    example={"data": [examples.STOCK], "page": examples.PAGE},
    reasons=[*READING, Reason.INVALID_CURSOR],
)
look_up_stock = operation(
    "lookUpStock",
    "Price and quantity of one stock",
    tag="stocks",
    takes=[
        path("name", components.NAME, "Case sensitive.", "AAPL"),
        header("Cache-Control", "`no-cache` reads past the cache."),
        answer_header(
            "X-Cache", [200], "How the cache took part.", {"type": "string", "enum": ["HIT", "MISS", "BYPASS"]}
        ),
    ],
    answer=data_of(ref("Stock")),
    example={"data": examples.STOCK},
    reasons=[*READING, Reason.UNKNOWN_STOCK],
)
list_orders = operation(
    "listOrders",
    "A page of the orders",
    tag="orders",
    takes=[*parameters.ORDER_FILTERS, *parameters.page("order-cursor")],
    answer=ref("OrderList"),
    example=examples.ORDERS,
    reasons=[*READING, Reason.INVALID_CURSOR],
)
place_order = operation(
    "placeOrder",
    "Buy or sell",
    tag="orders",
    role="trader",
    of_order=True,
    code=settings.ORDERS_CREATED_STATUS,
    takes=[
        header("Idempotency-Key", "Names this order: at most one exists per key.", components.KEY),
        header("X-Sandbox-Fault", "In a sandbox only, else 400: delay=<ms>, reject=NO_LEADER or lose-reply."),
        answer_header("Location", [200, 201], "Path of the order.", always=True),
        answer_header(
            "Idempotency-Replayed", [200, 201], "The order was made before.", {"type": "string", "enum": ["true"]}
        ),
    ],
    request=dict.fromkeys((JSON, *FORMS), ref("NewOrder")),
    sent=examples.NEW_ORDER,
    answer=data_of(ref("Order")),
    example={"data": examples.ORDER},
    reasons=[
        Reason.UNKNOWN_STOCK,
        Reason.INSUFFICIENT_STOCK,
        Reason.STOCK_LIMIT,
        Reason.KEY_REUSED,
        Reason.NO_LEADER,
        Reason.CATALOG,
        Reason.DISK_FULL,
        Reason.HALTED,
        Reason.OUTCOME_UNKNOWN,
        Reason.NOT_REPLICATED,
    ],
)
look_up_order = operation(
    "lookUpOrder",
    "One order",
    tag="orders",
    takes=[path("number", components.NUMBER, "Transaction number.", 57)],
    answer=data_of(ref("Order")),
    example={"data": examples.ORDER},
    reasons=[*READING, Reason.UNKNOWN_ORDER],
)
replicas = operation(
    "getReplicas",
    "Leader, replicas, lag and health",
    tag="operation",
    role="operator",
    answer=data_of(ref("Replicas")),
    example={"data": examples.REPLICAS},
)
metrics = operation(
    "getMetrics",
    "What this process counts and measures, for Prometheus",
    tag="operation",
    answer={"type": "string"},
    example="bourse_frontend_waiting_orders 0.0\n",
    media_type="text/plain",
)
_REPLICA_PATH = path("replica_id", components.REPLICA_ID, "Of GET /replicas.", 2)
start_resync = operation(
    "startResync",
    "Bring a follower into sync",
    tag="operation",
    role="operator",
    code=202,
    takes=[_REPLICA_PATH, answer_header("Location", [202], "Path of the job.", always=True)],
    answer=data_of(ref("ResyncJob")),
    example={"data": examples.JOB},
    reasons=[Reason.REPLICA_NOT_FOUND, Reason.REPLICA_LEADS, Reason.NO_LEADER],
)
get_resync = operation(
    "getResync",
    "The last resync of a follower that this frontend was asked for",
    tag="operation",
    role="operator",
    takes=[_REPLICA_PATH],
    answer=data_of(ref("ResyncJob")),
    example={"data": examples.JOB},
    reasons=[Reason.REPLICA_NOT_FOUND, Reason.JOB_NOT_FOUND],
)
switch_over = operation(
    "switchOver",
    "Make another replica the leader; no order fails",
    tag="operation",
    role="operator",
    request=dict.fromkeys((JSON, *FORMS), ref("NewLeader")),
    sent={"to": 1},
    answer=data_of(ref("Switchover")),
    example={"data": {"leader": 1, "epoch": 5, "previous_leader": 3}},
    reasons=[
        Reason.REPLICA_NOT_FOUND,
        Reason.TARGET_NOT_IN_SYNC,
        Reason.OUTCOME_UNKNOWN,
        *READING,
    ],
)
health = operation(
    "getHealth",
    "Whether this process is alive",
    tag="operation",
    role=OPEN,
    answer=data_of(components.whole({"status": {"type": "string", "const": "ok"}})),
    example={"data": {"status": "ok"}},
)
ready = operation(
    "getReady",
    "Whether orders could be placed now",
    tag="operation",
    role=OPEN,
    answer=data_of(
        components.whole(
            {
                "status": {"type": "string", "const": "ready"},
                "checks": {"type": "object", "additionalProperties": {"type": "string"}},
            }
        )
    ),
    example={"data": {"status": "ready", "checks": {"catalog": "ok", "leader": "ok", "replicas": "ok"}}},
    reasons=[Reason.NO_LEADER, Reason.CATALOG],
)
schema = operation(
    "getSchema",
    "This document",
    tag="about",
    answer={"type": "object", "required": ["openapi", "paths"]},
    example={"openapi": "3.1.0", "paths": {}},
)
docs = operation(
    "getDocs",
    "A browser of this document, for those who accept HTML",
    tag="about",
    answer=data_of(components.whole({"schema": {"type": "string"}})),
    example={"data": {"schema": "/schema"}},
)
