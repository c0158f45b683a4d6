"""The REST endpoints of those who operate the system: docs/API.md, "Operation"."""

import re
from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST
from rest_framework.request import Request
from rest_framework.response import Response

from common.bounds import MAX_REPLICA_ID
from common.calls.reasons import Reason
from trading.accounts.account import OPEN, OPERATOR
from trading.api.answers import HEALTHY
from trading.api.api_view import ApiView
from trading.api.browsable import BrowsableRenderer
from trading.api.errors import ApiError, shown
from trading.api.permissions import KEY_NEEDED, may_change_as
from trading.api.renderers import ExactJSONRenderer
from trading.api.schema import operations
from trading.api.serializers import ResyncSerializer, SwitchoverSerializer
from trading.operator import services
from trading.operator.frontend_metrics import metrics_text
from trading.operator.readiness import readiness

_ID = re.compile(r"[1-9][0-9]{0,3}")


class ReplicasRenderer(BrowsableRenderer):
    """The replicas as a table: each follower can be resynced, or made the leader."""

    template = "trading/replicas.html"

    def get_context(self, data: Any, accepted_media_type: str, renderer_context: Any) -> dict[str, Any]:
        """Return what the page shows."""
        context = super().get_context(data, accepted_media_type, renderer_context)
        return context | {"status": data.get("data"), **_operating(renderer_context)}


class ResyncRenderer(BrowsableRenderer):
    """The last resync of one replica, and a button for the next."""

    template = "trading/resync.html"

    def get_context(self, data: Any, accepted_media_type: str, renderer_context: Any) -> dict[str, Any]:
        """Return what the page shows."""
        context = super().get_context(data, accepted_media_type, renderer_context)
        return context | _operating(renderer_context)


def _operating(renderer_context: Any) -> dict[str, Any]:
    """Return whether the page's reader may press its buttons, and what else there is to do."""
    return {"may_operate": may_change_as(OPERATOR, renderer_context["request"]), "key_needed": KEY_NEEDED}


class ReplicasView(ApiView):
    """The state of the order service, for operators."""

    role = OPERATOR
    renderer_classes = [ExactJSONRenderer, ReplicasRenderer]

    def get_view_name(self) -> str:
        """Return the page's heading."""
        return "Replicas"

    @operations.replicas
    def get(self, request: Request) -> Response:
        """Answer with leader, replicas, lag and health."""
        return Response({"data": services.replicas_status()})


class ResyncView(ApiView):
    """Bringing one follower into sync: a job that goes on after the answer."""

    role = OPERATOR
    renderer_classes = [ExactJSONRenderer, ResyncRenderer]

    def get_view_name(self) -> str:
        """Return the page's heading."""
        return "Resync"

    def related(self, data: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return the ways to the job as it is by now, and to the replicas."""
        own = [(f"/replicas/{data['replica']}/resync", f"Look at replica {data['replica']} again")] if data else []
        return [("/replicas", "Replicas"), *own]

    @operations.get_resync
    def get(self, request: Request, replica_id: str) -> Response:
        """Answer with the last job of this replica."""
        return Response({"data": services.last_resync(replica_id=_read_id(replica_id))})

    @operations.start_resync
    def post(self, request: Request, replica_id: str) -> Response:
        """Begin, unless a job is under way; answer with the job."""
        ResyncSerializer(data=request.data).is_valid(raise_exception=True)
        job = services.start_resync(replica_id=_read_id(replica_id))
        return Response({"data": job}, status=202, headers={"Location": f"/replicas/{job['replica']}/resync"})


class SwitchoverView(ApiView):
    """Making another replica the leader, while orders go on."""

    role = OPERATOR

    def get_view_name(self) -> str:
        """Return the page's heading."""
        return "Switchover"

    def related(self, data: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return the way to the replicas."""
        return [("/replicas", "Replicas")]

    @operations.switch_over
    def post(self, request: Request) -> Response:
        """Switch over, and answer once the new leader serves."""
        form = SwitchoverSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        return Response({"data": services.change_leader(**form.validated_data)})


class HealthView(ApiView):
    """Whether this process is alive. It asks nobody else."""

    role = OPEN

    def get_view_name(self) -> str:
        """Return the page's heading."""
        return "Health"

    @operations.health
    def get(self, request: Request) -> Response:
        """Answer that it is."""
        return Response({"data": HEALTHY})


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
        return HttpResponse(metrics_text(), content_type=CONTENT_TYPE_LATEST)


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
            raise ApiError(failed[0].reason, message, details, is_news=False)
        return Response({"data": {"status": "ready", "checks": {check.name: check.note or "ok" for check in checks}}})


def _read_id(text: str) -> int:
    if not _ID.fullmatch(text) or int(text) > MAX_REPLICA_ID:
        message = f"{shown(text)} is not a replica id: an integer from 1 to {MAX_REPLICA_ID}."
        raise ApiError(Reason.INVALID_ARGUMENT, message, [{"field": "replica_id", "message": message}])
    return int(text)
