"""Which requests are plain: what programs ask for all day, in the form in which they ask it.

They need no content negotiation, no session, no page's headers and no form. Whatever is not as plain as that, or is
wrong, or is to go past the cache, goes to the view of the same address, which knows the whole contract.
"""

import functools
from typing import Any

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.middleware.security import SecurityMiddleware

from trading.api.accepted import MEANT_HEADERS
from trading.api.errors import ApiError
from trading.api.order_key import chosen_key
from trading.api.parsers import strict_json
from trading.api.serializers import plain_order
from trading.edge.request import EdgeRequest

# What these ask for is JSON; the third is what axios sends.
_ACCEPTS_JSON = frozenset({b"*/*", b"application/json", b"application/json, text/plain, */*"})
_IS_JSON = frozenset({b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-8"})
_MEANT = {name.lower().encode() for name in MEANT_HEADERS}
# Of a request that has one of these the view must know more. A page's site stands in Origin.
_NOT_PLAIN = frozenset({b"cache-control", b"content-encoding", b"origin", *_MEANT})
_NOT_PLAIN_ASKING = _NOT_PLAIN | {b"transfer-encoding"}
_NOT_PLAIN_ORDERING = _NOT_PLAIN - {b"idempotency-key"}
_HEADERS = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"vary", b"Accept"),
    (b"x-content-type-options", b"nosniff"),
]
# Host names that were checked and are remembered: clients may send any.
_KEPT_HOSTS = 64


class Plainness:
    """Tells plain requests from others. Settings are read when it is made."""

    def __init__(self) -> None:
        proxy = settings.SECURE_PROXY_SSL_HEADER
        self._secure = None if proxy is None else (proxy[0][5:].lower().replace("_", "-").encode(), proxy[1].encode())
        self._is_served = functools.lru_cache(_KEPT_HOSTS)(_is_served)
        self._over_tls = [*_HEADERS, *_hsts()]

    def headers(self, request: EdgeRequest) -> list[tuple[bytes, bytes]]:
        """Return what stands in every answer to a plain request that came as this one did; not to be changed."""
        return self._over_tls if self._is_secure(request) else _HEADERS

    def is_probe(self, request: EdgeRequest) -> bool:
        """Whether a GET of a probe is plain; those are asked by any name, and past the proxy."""
        headers = request.headers
        return (
            headers.get(b"accept", b"*/*") in _ACCEPTS_JSON
            and not request.scope["query_string"]
            and _NOT_PLAIN_ASKING.isdisjoint(headers)
            and headers.get(b"content-length", b"0") == b"0"
        )

    def is_question(self, request: EdgeRequest) -> bool:
        """Whether a GET is plain."""
        return self.is_probe(request) and self._is_for_us(request)

    def is_order(self, request: EdgeRequest) -> bool:
        """Whether a POST of an order is plain, as far as its head says."""
        headers = request.headers
        length = request.announced_length
        return (
            headers.get(b"accept", b"*/*") in _ACCEPTS_JSON
            and not request.scope["query_string"]
            and _NOT_PLAIN_ORDERING.isdisjoint(headers)
            and headers.get(b"content-type", b"").lower() in _IS_JSON
            and (length is None or 0 < length <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
            and self._is_for_us(request)
        )

    def _is_for_us(self, request: EdgeRequest) -> bool:
        if request.has_twins or not self._is_served(request.headers.get(b"host", b"")):
            return False
        return not settings.SECURE_SSL_REDIRECT or self._is_secure(request)

    def _is_secure(self, request: EdgeRequest) -> bool:
        told = None if self._secure is None else request.headers.get(self._secure[0])
        if self._secure is None or told is None:
            return bool(request.scope["scheme"] == "https")
        return told == self._secure[1]


def read_order(request: EdgeRequest, body: bytes) -> dict[str, Any] | None:
    """Return the fields of an order, its key among them; None if the view has to say what is wrong."""
    if len(body) != (request.announced_length or len(body)):
        return None
    try:
        data = strict_json(body)
    except ApiError:
        return None
    fields = plain_order(data)
    key = chosen_key(request.META, data) if fields is not None else None
    return None if fields is None or key is None else fields | {"client_order_id": key}


def _is_served(host: bytes) -> bool:
    """Whether a Host header names this server."""
    request = HttpRequest()
    request.META = {"HTTP_HOST": host.decode("latin-1")}
    try:
        return bool(host and request.get_host())
    except SuspiciousOperation:
        return False


def _hsts() -> list[tuple[bytes, bytes]]:
    """Return the header by which Django has browsers use nothing but TLS here, if it is to."""
    request = HttpRequest()
    request._get_scheme = lambda: "https"
    response = SecurityMiddleware(lambda _request: HttpResponse()).process_response(request, HttpResponse())
    value = response.get("Strict-Transport-Security")
    return [] if value is None else [(b"strict-transport-security", value.encode())]
