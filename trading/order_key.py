"""The idempotency key of a POSTed order: from its header, its body, or made here. docs/API.md, "Idempotency"."""

import uuid
from collections.abc import Mapping

from django.http import HttpRequest, QueryDict

from common.bounds import IDEMPOTENCY_KEY
from trading.errors import ApiError, shown

HEADER = "Idempotency-Key"
_META_NAME = "HTTP_IDEMPOTENCY_KEY"
FIELD = "client_order_id"
ALLOWED = "1 to 64 characters of A-Z a-z 0-9 . _ : -"


def new_key() -> str:
    """Return a key that nobody has used."""
    return uuid.uuid4().hex


def given_keys(request: HttpRequest, data: object) -> list[object]:
    """Return what the client gave as the key, the header's value first; `data` is the parsed body.

    A field of an HTML form that was left empty counts as not given.
    """
    keys: list[object] = []
    if _META_NAME in request.META:
        keys.append(request.META[_META_NAME])
    if isinstance(data, Mapping) and FIELD in data and not (isinstance(data, QueryDict) and data[FIELD] == ""):
        keys.append(data[FIELD])
    return keys


def name_key(request: HttpRequest, data: object) -> str | None:
    """Decide the request's key, and note it on the request for whatever answer comes.

    It is the client's own, or a new one when none was given; None when what was given cannot be used.
    """
    keys = given_keys(request, data)
    if not keys:
        key: str | None = new_key()
    elif all(isinstance(one, str) and one == keys[0] and IDEMPOTENCY_KEY.fullmatch(one) for one in keys):
        key = str(keys[0])
    else:
        key = None
    request.bourse_order_key = key
    return key


def key_of(request: HttpRequest) -> str | None:
    """Return the key that an answer to this POST names, also when it failed before its body was read."""
    if not hasattr(request, "bourse_order_key"):
        return name_key(request, None)
    key: str | None = request.bourse_order_key
    return key


def unusable_key(request: HttpRequest, data: object) -> ApiError:
    """Return why the keys that were given cannot be used."""
    for key in given_keys(request, data):
        if not isinstance(key, str) or not IDEMPOTENCY_KEY.fullmatch(key):
            message = f"The key {shown(key)} is not {ALLOWED}."
            break
    else:
        header, body = given_keys(request, data)
        message = f"The header {HEADER} says {shown(header)}, {FIELD} says {shown(body)}: they must be equal."
    return ApiError("VALIDATION_FAILED", message, [{"field": FIELD, "message": message}])
