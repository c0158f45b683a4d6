"""The REST endpoints of those who operate the system: docs/API.md, "Operation"."""

from rest_framework.request import Request
from rest_framework.response import Response

from trading import services
from trading.accounts.account import OPEN, OPERATOR
from trading.api_view import ApiView
from trading.errors import ApiError
from trading.readiness import readiness
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
