"""The floor's frontend: a bare Django view that gathers orders and answers a constant."""

import json
import os
from typing import Any

from django.conf import settings

settings.configure(
    SECRET_KEY="not secret: this site holds nothing",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["benchmarks.content_length.content_length"],
    LOGGING_CONFIG=None,
)

from django.core.wsgi import get_wsgi_application  # noqa: E402 - needs the settings

application = get_wsgi_application()

from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402

from benchmarks.floor.backend import CALL_TIMEOUT_S  # noqa: E402
from benchmarks.floor.gatherer import Gatherer  # noqa: E402
from benchmarks.floor.messages import NEW_ORDER, PLACED  # noqa: E402
from common.calls.network import Network  # noqa: E402
from protos import catalog_pb2, order_pb2  # noqa: E402

_leader = os.environ["FLOOR_LEADER"]
_network = Network()


def _send(orders: list[catalog_pb2.NewOrder]) -> Any:
    request = order_pb2.PlaceOrdersRequest(epoch=1, orders=orders)
    return _network.call(_leader, request, CALL_TIMEOUT_S).results


_gatherer = Gatherer(_send)
_placed = PLACED.placed.order
_ANSWER = json.dumps(
    {
        "data": {
            "transaction_number": _placed.transaction_number,
            "transaction_id": _placed.transaction_number,
            "number": _placed.transaction_number,
            "name": _placed.stock_name,
            "type": "sell",
            "quantity": _placed.quantity,
            "price": 123.45,
            "price_decimal": "123.45",
            "status": "filled",
            "client_order_id": _placed.idempotency_key,
            "created_at": _placed.created_at,
        }
    }
)


def orders_view(request: HttpRequest) -> HttpResponse:
    """Place an order; what it says is read, and not looked at."""
    json.loads(request.body)
    _gatherer.place([NEW_ORDER])
    return HttpResponse(_ANSWER, content_type="application/json", status=201)


urlpatterns: list[Any] = [path("orders", orders_view)]
