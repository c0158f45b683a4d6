"""The peer's site: POST /orders in one transaction that locks the stock's row.

Written as such an application is: the ORM, a serializer, one persistent connection a thread. What Bourse's frontend
does besides (middleware, metrics, the browsable API) it is spared.
"""

import os
from typing import Any

from django.conf import settings

settings.configure(
    SECRET_KEY="not secret: this site is measured, nothing else",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["rest_framework", "benchmarks.postgres_peer"],
    MIDDLEWARE=["benchmarks.content_length.content_length"],
    LOGGING_CONFIG=None,
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": os.environ["PEER_SOCKET_DIR"],
            "PORT": os.environ["PEER_PORT"],
            "NAME": "postgres",
            "USER": "postgres",
            "CONN_MAX_AGE": None,
        }
    },
    REST_FRAMEWORK={
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "UNAUTHENTICATED_USER": None,
    },
)

from django.core.wsgi import get_wsgi_application  # noqa: E402 - needs the settings

application = get_wsgi_application()

from django.db import transaction  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework import serializers  # noqa: E402
from rest_framework.exceptions import ValidationError  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from benchmarks.postgres_peer.models import Order, Stock  # noqa: E402


class OrderForm(serializers.Serializer):
    """What a client sends."""

    name = serializers.CharField(max_length=32)
    type = serializers.ChoiceField(["buy", "sell"])
    quantity = serializers.IntegerField(min_value=1, max_value=10**9)


class OrdersView(APIView):
    """Takes orders."""

    def post(self, request: Request) -> Response:
        """Place one order; it is committed on the primary and both standbys when it is answered."""
        form = OrderForm(data=request.data)
        form.is_valid(raise_exception=True)
        return Response({"data": place(request.headers["Idempotency-Key"], **form.validated_data)}, status=201)


def place(key: str, name: str, type: str, quantity: int) -> dict[str, Any]:
    """Record one order under its key, and what it leaves of the stock."""
    with transaction.atomic():
        stock = Stock.objects.select_for_update().get(name=name)
        stock.quantity += quantity if type == "sell" else -quantity
        if stock.quantity < 0:
            raise ValidationError(f"{name}: not enough left")
        stock.save(update_fields=["quantity"])
        order = Order.objects.create(
            stock=stock, order_type=type, quantity=quantity, price_cents=stock.price_cents, key=key
        )
    return {
        "transaction_number": order.pk,
        "name": name,
        "type": type,
        "quantity": quantity,
        "price": order.price_cents / 100,
        "client_order_id": key,
        "created_at": order.created_at.isoformat(),
    }


urlpatterns: list[Any] = [path("orders", OrdersView.as_view())]
