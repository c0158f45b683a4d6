"""Opaque cursors: where a list goes on, and the filters it keeps.

A cursor ends with a checksum, so that one that was cut, mixed up or edited is refused instead of showing another list.
It has no secret in it: a cursor gives nobody more than the same filters in a query do, and every frontend reads it.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from urllib.parse import parse_qsl, urlencode
from zlib import crc32

from common.calls.reasons import Reason
from trading.api.errors import ApiError

_MOST_CHARACTERS = 8192
_CHECK_BYTES = 4
_ALPHABET = re.compile(r"[A-Za-z0-9_-]+")


def encode_cursor(kind: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Return a cursor that holds these names and texts, in this order. `kind` tells the lists apart."""
    inner = f"{kind}?{urlencode(pairs)}".encode("ascii")
    check = crc32(inner).to_bytes(_CHECK_BYTES, "big")
    return base64.urlsafe_b64encode(inner + check).decode("ascii").rstrip("=")


def decode_cursor(kind: str, cursor: str) -> list[tuple[str, str]]:
    """Return the names and texts of a cursor that `encode_cursor` made for this kind of list.

    Raises:
        ApiError: INVALID_CURSOR, for any text that encode_cursor does not make.
    """
    if not _ALPHABET.fullmatch(cursor) or len(cursor) > _MOST_CHARACTERS:
        raise invalid_cursor()
    try:
        inner = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))[:-_CHECK_BYTES].decode("ascii")
        head, _separator, query = inner.partition("?")
        pairs = parse_qsl(query, strict_parsing=True, keep_blank_values=True)
    except (binascii.Error, ValueError) as error:
        raise invalid_cursor() from error
    if head != kind or encode_cursor(kind, pairs) != cursor:  # the checksum is compared too
        raise invalid_cursor()
    return pairs


def invalid_cursor() -> ApiError:
    """Return the error for a cursor that no answer of this list can have held."""
    return ApiError(Reason.INVALID_CURSOR, "The cursor is not one that this list has given.", [{"field": "cursor"}])
