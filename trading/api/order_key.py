"""The idempotency key of a POSTed order: from its header, its body, or made here. docs/API.md, "Idempotency"."""

import secrets
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, QueryDict

from common.bounds import IDEMPOTENCY_KEY
from common.calls.reasons import Reason
from trading.api.errors import ApiError, shown

HEADER = "Idempotency-Key"
_META_NAME = "HTTP_IDEMPOTENCY_KEY"
FIELD = "client_order_id"
# In a request's META while its body is on its way: there may be a key in it.
BODY_IS_COMING = "bourse.body_is_coming"
ALLOWED = "1 to 64 characters of A-Z a-z 0-9 . _ : -"


def new_key() -> str:
    """Return a key that nobody has used."""
    return secrets.token_hex(16)


def given_keys(meta: Mapping[str, Any], data: object) -> list[object]:
    """Return what the client gave as the key, the header's value first.

    `meta` has the request's headers as WSGI names them, `data` is the parsed body.

    A field of an HTML form that was left empty counts as not given.
    """
    keys: list[object] = []
    if _META_NAME in meta:
        keys.append(meta[_META_NAME])
    if isinstance(data, Mapping) and FIELD in data and not (isinstance(data, QueryDict) and data[FIELD] == ""):
        keys.append(data[FIELD])
    return keys


def chosen_key(meta: Mapping[str, Any], data: object) -> str | None:
    """Return the key of an order: the client's own, or a new one when none was given; None when what was given cannot
    be used. `meta` and `data` as for `given_keys`."""
    keys = given_keys(meta, data)
    if not keys:
        return new_key()
    if all(isinstance(one, str) and one == keys[0] and IDEMPOTENCY_KEY.fullmatch(one) for one in keys):
        return str(keys[0])
    return None


def name_key(request: HttpRequest, data: object) -> str | None:
    """Decide the request's key as `chosen_key` does, and note it on the request for whatever answer comes."""
    key = request.bourse_order_key = chosen_key(request.META, data)
    return key


def key_of(request: HttpRequest) -> str | None:
    """Return the key that an answer to this POST names; None if it cannot be used, or may stand in a body that has not
    come."""
    if not hasattr(request, "bourse_order_key"):
        if request.META.get(BODY_IS_COMING) and _META_NAME not in request.META:
            return None
        return name_key(request, None)
    key: str | None = request.bourse_order_key
    return key


def unusable_key(request: HttpRequest, data: object) -> ApiError:
    """Return why the keys that were given cannot be used."""
    for key in given_keys(request.META, data):
        if not isinstance(key, str) or not IDEMPOTENCY_KEY.fullmatch(key):
            message = f"The key {shown(key)} is not {ALLOWED}."
            break
    else:
        header, body = given_keys(request.META, data)
        message = f"The header {HEADER} says {shown(header)}, {FIELD} says {shown(body)}: they must be equal."
    return ApiError(Reason.INVALID_ARGUMENT, message, [{"field": FIELD, "message": message}])
