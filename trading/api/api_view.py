"""What all views of the interface have in common."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.conf import settings
from django.utils.cache import patch_cache_control
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from trading.accounts.account import ANY, OPEN
from trading.accounts.authentication import BearerAuthentication, LoginAuthentication
from trading.api.accepted import Accepted, refuse_unaccepted
from trading.api.permissions import HasRole, IsNotForeignPage
from trading.api.throttling import CallerThrottle, add_limit_headers

# In the META of a request that came by the event loop: what it is there (trading.edge.request.EdgeRequest).
IN_LOOP = "bourse.in_loop"


class ApiView(APIView):
    """A view of this interface. There is no OPTIONS: docs/API.md describes the endpoints.

    Attributes:
        role: what its caller must be (trading.accounts.account): OPEN, ANY, TRADER or OPERATOR.
        roles: the same by method, where one differs.
    """

    http_method_names: ClassVar[list[str]] = ["get", "post", "head"]
    permission_classes: list[Any] = [IsNotForeignPage, HasRole]
    throttle_classes: list[Any] = [CallerThrottle]
    role: ClassVar[str] = ANY
    roles: ClassVar[Mapping[str, str]] = {}

    def related(self, data: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return where the page of this answer leads: paths and their names; `data` is empty for a list or an error."""
        return []

    def role_needed(self, method: str) -> str:
        """Return what the caller of this method must be."""
        return self.roles.get(method, self.role)

    def accepted(self, method: str) -> Accepted:
        """Return what this method takes from a request; nothing, unless its description says so."""
        accepted: Accepted = getattr(getattr(self, method.lower()), "accepted", Accepted())
        return accepted

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse a request of somebody who may not call, and one that says what would not be honoured."""
        super().initial(request, *args, **kwargs)
        method = str(request.method)
        if method.lower() in self.http_method_names and hasattr(self, method.lower()):
            refuse_unaccepted(request._request, self.accepted(method))

    def get_authenticators(self) -> list[BaseAuthentication]:
        """Return the ways in which a request may say whose it is; none where nobody asks."""
        if not settings.AUTHENTICATION or self.role == OPEN:
            return []
        return [BearerAuthentication(), LoginAuthentication()]

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Mark every answer as not to be kept by caches on the way: it is true now. Add what its limit is."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        patch_cache_control(answer, no_store=True)
        add_limit_headers(request._request, answer)
        return answer
