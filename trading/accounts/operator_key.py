"""The operator key: what makes an operator while there are no accounts. Where a request comes from is not enough.

A proxy on this machine that says nothing of whom it forwards, or a tunnel, makes the whole world come from loopback. As
with Jupyter's token, the one who started the system has the key: in the address that `make run` prints, or in its file.
"""

from hashlib import sha256
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils.crypto import constant_time_compare, salted_hmac


def is_operator_key(text: str) -> bool:
    """Return whether this is the key; False while authentication is on."""
    key = settings.OPERATOR_KEY
    return key is not None and constant_time_compare(text, key)


def brings_operator_key(request: Any) -> bool:
    """Return whether a request holds the key: as its bearer token, or in the cookie."""
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer" and is_operator_key(token.strip()):
        return True
    if settings.OPERATOR_KEY is None:
        return False
    return constant_time_compare(request.COOKIES.get(_cookie_name(), ""), _cookie_value())


def set_operator_cookie(response: HttpResponse, *, is_secure: bool) -> None:
    """Have the browser bring the key from now on, to pages and forms of this site alone."""
    response.set_cookie(_cookie_name(), _cookie_value(), httponly=True, samesite="Strict", secure=is_secure)


def _cookie_value() -> str:
    """Return what counts as a cookie alone: the browser shows it to whatever listens on another port of this host."""
    return salted_hmac("trading.accounts.operator_cookie", "", settings.OPERATOR_KEY, algorithm="sha256").hexdigest()


def _cookie_name() -> str:
    """Return a name of this key's own: a browser does not tell systems on other ports of one host apart."""
    return f"bourse_operator_{sha256(settings.OPERATOR_KEY.encode()).hexdigest()[:8]}"
