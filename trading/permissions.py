"""Who may call, while authentication is off."""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from rest_framework.permissions import BasePermission

_FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP")


class IsFromLoopback(BasePermission):
    """Only callers from this machine, and not through a proxy on it."""

    message = "Operator endpoints answer callers from the loopback interface only while authentication is off."

    def has_permission(self, request: Any, view: Any) -> bool:
        """Return whether the request comes from the loopback interface itself."""
        if any(name in request.META for name in _FORWARDED):
            return False
        try:
            address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return (mapped or address).is_loopback


class IsNotForeignPage(BasePermission):
    """Refuses what a page of another site makes a browser send: without tokens, that page could trade for its reader.

    Browsers name the page's site in `Origin`; other clients do not send it.
    """

    message = "A page of another site must not change anything here (header Origin)."

    def has_permission(self, request: Any, view: Any) -> bool:
        """Return whether the request only reads, or comes from no page, or from one of this site."""
        origin = request.headers.get("Origin")
        if request.method in ("GET", "HEAD") or origin is None:
            return True
        return urlsplit(origin).netloc == request.get_host()
