"""Who may call: by role when authentication is on, by where from and with which key when it is off."""

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from rest_framework.permissions import BasePermission

from trading.accounts.account import ANY, OPEN, OPERATOR
from trading.accounts.operator_key import brings_operator_key

# Ends a sentence.
KEY_NEEDED = (
    "send the header 'Authorization: Bearer' with the operator key, which is in the file operator_key of the data"
    " directory, or open the address that `make run` printed."
)
_FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP")


class HasRole(BasePermission):
    """The caller has the role that the view asks for: any account for ANY, nobody at all for OPEN.

    While authentication is off everybody has every role, but only callers from this machine look at what operators do,
    not through a proxy on it, and of them only those change anything who bring the operator key.
    """

    def has_permission(self, request: Any, view: Any) -> bool:
        """Return whether the caller may; `message` says what is missing."""
        role = view.role_needed(request.method)
        if settings.AUTHENTICATION:
            self.message = f"This needs an account with the role {role!r}."
        elif not may_act_as(role, request):
            self.message = (
                "Operator endpoints answer callers from the loopback interface only while authentication is off."
            )
        else:
            self.message = f"To change this, {KEY_NEEDED}"
        return may_act_as(role, request) if request.method in ("GET", "HEAD") else may_change_as(role, request)


def may_change_as(role: str, request: Any) -> bool:
    """Return whether the caller of a request may change what is this role's to change, as HasRole has it."""
    needs_key = role == OPERATOR and not settings.AUTHENTICATION
    return may_act_as(role, request) and (not needs_key or brings_operator_key(request))


def may_act_as(role: str, request: Any) -> bool:
    """Return whether the caller of a request may look at what is a role's, as HasRole has it."""
    if role == OPEN:
        return True
    if not settings.AUTHENTICATION:
        return role != OPERATOR or _is_from_loopback(request.META)
    return bool(request.user.is_authenticated) and role in (ANY, request.user.role)


def _is_from_loopback(meta: Mapping[str, str]) -> bool:
    if any(name in meta for name in _FORWARDED):
        return False
    try:
        address = ipaddress.ip_address(meta.get("REMOTE_ADDR", ""))
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
