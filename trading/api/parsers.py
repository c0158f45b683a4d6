"""Reading request bodies: small, strict, and quick to refuse."""

import json
from codecs import BOM_UTF8
from typing import Any

from django.conf import settings
from django.http import QueryDict
from rest_framework.parsers import BaseParser, FormParser, MultiPartParser

from common.calls.reasons import Reason
from trading.api.errors import ApiError, shown

SEND_JSON = "Send JSON with the header 'Content-Type: application/json'"


class StrictJSONParser(BaseParser):
    """JSON as `strict_json` reads it."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """Return the value.

        Raises:
            ApiError: MALFORMED_JSON; VALIDATION_FAILED for a body that is too large.
        """
        return strict_json(_read(stream, parser_context))


class SmallFormParser(FormParser):
    """HTML form data, bounded in size."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> QueryDict:
        """Return the fields. Raises as StrictJSONParser for a body that is too large.

        Raises:
            ApiError: VALIDATION_FAILED for JSON that was sent without saying so.
        """
        body = _read(stream, parser_context)
        # No field of ours begins so. What curl, wget and jQuery send unless they are told otherwise is called a form.
        if body.removeprefix(BOM_UTF8).lstrip().startswith((b"{", b"[")):
            message = f"The body is JSON, but its Content-Type says that it is a form. {SEND_JSON}."
            raise ApiError(Reason.INVALID_ARGUMENT, message, [{"field": "Content-Type", "message": message}])
        return QueryDict(body, encoding="utf-8")


class SmallMultiPartParser(MultiPartParser):
    """HTML form data as browsers send it with an `enctype`, bounded in size."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """Return the fields and files. Raises as StrictJSONParser for a body that is too large."""
        _refuse_large(parser_context)
        return super().parse(stream, media_type=media_type, parser_context=parser_context)


def _read(stream: Any, parser_context: Any) -> bytes:
    _refuse_large(parser_context)
    body: bytes = stream.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    if len(body) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        raise _too_large(f"more than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE}")
    announced = parser_context["request"].META.get("CONTENT_LENGTH") or "0"
    if len(body) < int(announced):
        # What came may look whole, and yet not be what was meant.
        raise ApiError(Reason.INVALID_ARGUMENT, f"The body ended after {len(body)} of its {announced} bytes.")
    return body


def _refuse_large(parser_context: Any) -> None:
    """Refuse by the announced length, before anything is read."""
    length = parser_context["request"].META.get("CONTENT_LENGTH") or "0"
    if int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        raise _too_large(length)


def _too_large(length: str) -> ApiError:
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    return ApiError(Reason.INVALID_ARGUMENT, f"The body has {length} bytes; at most {most} are read.")


def strict_json(body: bytes) -> Any:
    """Return the value of JSON in UTF-8, as RFC 8259 has it: no NaN, no name twice in one object; any value at the top.
    A byte order mark before it is passed over.

    Raises:
        ApiError: MALFORMED_JSON.
    """
    try:
        return _DECODER.decode(body.decode("utf-8").removeprefix("\ufeff"))
    except UnicodeDecodeError as error:
        raise ApiError(Reason.MALFORMED_JSON, f"The body is not UTF-8: byte {error.start} is wrong.") from error
    except RecursionError as error:
        raise ApiError(Reason.MALFORMED_JSON, "The body is nested too deeply.") from error
    except ValueError as error:
        raise ApiError(Reason.MALFORMED_JSON, f"The body is not JSON: {str(error)[:200]}.") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _value in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        # Readers of JSON differ in which of the two they take: with an order, that is too much to guess.
        raise ValueError(f"the name {shown(twice)} stands twice in one object")
    return fields


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant)
