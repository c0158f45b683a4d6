"""A site of two views that do nothing, one of Django and one of DRF: what the server and the frameworks cost alone.

Both answer as many bytes as a look-up of a stock does. No database, JSON alone.
"""

import json
from typing import Any

from django.conf import settings

settings.configure(
    SECRET_KEY="not secret: this site holds nothing",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["rest_framework"],
    MIDDLEWARE=["benchmarks.content_length.content_length"],
    LOGGING_CONFIG=None,
    REST_FRAMEWORK={
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "UNAUTHENTICATED_USER": None,
    },
)

from django.core.wsgi import get_wsgi_application  # noqa: E402 - needs the settings

application = get_wsgi_application()

from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

STOCK = {"data": {"name": "HOT", "price": 123.45, "price_decimal": "123.45", "quantity": 1_000_000_000_000}}


def django_view(_request: HttpRequest) -> HttpResponse:
    """Answer a constant."""
    return HttpResponse(json.dumps(STOCK, separators=(",", ":")), content_type="application/json")


class DrfView(APIView):
    """Answers a constant."""

    def get(self, _request: Request) -> Response:
        """Answer a constant."""
        return Response(STOCK)


urlpatterns: list[Any] = [path("django", django_view), path("drf", DrfView.as_view())]
