"""The REST endpoints of those who operate the system: docs/API.md, "Operation"."""

from typing import Any

from django.http import HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from rest_framework.request import Request
from rest_framework.response import Response

from trading import services
from trading.accounts.account import OPEN, OPERATOR
from trading.api_view import ApiView
from trading.errors import ApiError
from trading.metrics import REGISTRY
from trading.readiness import readiness
from trading.renderers import ExactJSONRenderer
from trading.schema import operations


class ReplicasView(ApiView):
    """The state of the order service, for operators."""

    role = OPERATOR

    def get_view_name(self) -> str:
        """Return the page's heading."""
        return "Replicas"

    @operations.replicas
    def get(self, request: Request) -> Response:
        """Answer with leader, replicas, lag and health."""
        return Response({"data": services.replicas_status()})


class HealthView(ApiView):
    """Whether this process is alive. It asks nobody else."""

    role = OPEN

    def get_view_name(self) -> str:
        """Return the page's heading."""
        return "Health"

    @operations.health
    def get(self, request: Request) -> Response:
        """Answer that it is."""
        return Response({"data": {"status": "ok"}})


class MetricsView(ApiView):
    """What this process counts and measures, for Prometheus."""

    renderer_classes = [ExactJSONRenderer]

    def get_view_name(self) -> str:
        """Return the page's heading."""
        return "Metrics"

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Take any Accept header: there is one form, and errors are JSON."""
        return super().perform_content_negotiation(request, force=True)

    @operations.metrics
    def get(self, request: Request) -> HttpResponse:
        """Answer with the text format of Prometheus."""
        return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


class ReadyView(ApiView):
    """Whether orders could be placed now: the catalog answers, and a leader has enough replicas in sync."""

    role = OPEN

    def get_view_name(self) -> str:
        """Return the page's heading."""
        return "Ready"

    @operations.ready
    def get(self, request: Request) -> Response:
        """Answer that they could, or what is missing."""
        checks = readiness().checks()
        failed = [check for check in checks if check.failure]
        if failed:
            message = "; ".join(f"{check.name}: {check.failure}" for check in failed)
            details = [{"check": check.name, "message": check.failure} for check in failed]
            raise ApiError(failed[0].reason, message, details)
        return Response({"data": {"status": "ready", "checks": {check.name: "ok" for check in checks}}})
