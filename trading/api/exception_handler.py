"""The one place where something that was raised becomes the error envelope: docs/API.md, "Errors"."""

from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import BadRequest, DisallowedHost, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, JsonResponse, QueryDict
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.utils.serializer_helpers import ReturnDict

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from trading.accounts.verifying import AccountsUnavailable
from trading.api.errors import ApiError, error_from_failure, shown
from trading.api.order_key import BODY_IS_COMING, FIELD, key_of, name_key, new_key
from trading.api.parsers import SEND_JSON
from trading.api.request_id import request_id
from trading.api.request_metrics import note_error

MOST_DETAILS = 20
_ORDER_PATHS = ("/orders", "/orders/")

_REASON_BY_CODE = {
    401: Reason.UNAUTHENTICATED,
    403: Reason.PERMISSION_DENIED,
    404: Reason.PATH_NOT_FOUND,
    405: Reason.METHOD_NOT_ALLOWED,
    406: Reason.NOT_ACCEPTABLE,
    429: Reason.RATE_LIMITED,
}

log = structlog.get_logger()


def handle_exception(exception: Exception, context: dict[str, Any]) -> Response:
    """Answer what a view raised. An exception that nobody foresaw is logged with its trace, and is a 500."""
    view, request = context["view"], context["request"]
    error = _error_from(exception)
    _log(error, exception, request._request)
    _name_key(request)
    data = envelope(error, request._request)
    form = getattr(view, "form", None)
    if form is not None and isinstance(request.data, QueryDict):
        if not form.errors:
            _fill_again(form, error, request._request)
        data = ReturnDict(data, serializer=form)
    headers = _headers(error)
    if (wait_s := getattr(exception, "wait", None)) is not None:
        headers["Retry-After"] = str(wait_s)
    if challenge := getattr(exception, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    return Response(data, status=error.code, headers=headers)


def _fill_again(form: Any, error: ApiError, request: HttpRequest) -> None:
    """Have the form of an order that was valid, but failed, hold what was sent, and say at its fields what failed."""
    # Who sends the form again must do so under the same key, unless the order was refused: that is final.
    key = key_of(request) if error.code >= 500 else new_key()
    form.validated_data[FIELD] = key
    at_fields = {one["field"]: [error.message] for one in error.details if one.get("field") in form.fields}
    if at_fields:
        # With errors, a serializer shows what it was given; it has no public way to be told of one.
        form.initial_data = form.initial_data.copy()
        form.initial_data[FIELD] = key
        form._errors = at_fields


def _name_key(request: Any) -> None:
    """See that an order that was refused before its body was read is told under the key that stands in it. No refusal
    waits for a body."""
    if request.method != "POST" or request.path not in _ORDER_PATHS or hasattr(request._request, "bourse_order_key"):
        return
    if request.META.get(BODY_IS_COMING):
        return
    try:
        data = request.data
    except (ApiError, exceptions.APIException, OSError):
        data = None
    name_key(request._request, data)


def envelope(error: ApiError, request: HttpRequest) -> dict[str, Any]:
    """Return the body that answers `request` with `error`; the request is counted as answered so."""
    note_error(request, error.outcome, error.reason.told_as)
    body: dict[str, Any] = {
        "code": error.code,
        "status": error.reason.code.name,
        "reason": error.reason.told_as,
        "message": error.message,
    }
    if request.method == "POST" and request.path in _ORDER_PATHS:
        body["outcome"] = error.outcome
        if (key := key_of(request)) is not None:
            body[FIELD] = key
    return {"error": body | {"details": error.details, "request_id": request_id(request)}}


def answer_failure(failure: Exception, request: HttpRequest) -> JsonResponse:
    """Answer what was raised on behalf of a request that no view has seen."""
    error = _error_from(failure)
    _log(error, failure, request)
    return _answer(error, request)


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Django's handler400: a request that was refused before any view saw it."""
    return _answer(_error_from(exception), request)


def permission_denied(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Django's handler403."""
    return _answer(_error_from(exception), request)


def path_not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Django's handler404."""
    return _answer(unknown_path(request), request)


def server_error(request: HttpRequest) -> JsonResponse:
    """Django's handler500: something failed outside of a view, or while its answer was rendered."""
    error = _internal_error()
    log.exception("request failed", request_id=request_id(request), method=request.method, path=request.path[:200])
    return _answer(error, request)


def unknown_path(request: HttpRequest) -> ApiError:
    """Return the error for a path that names nothing."""
    return ApiError(Reason.PATH_NOT_FOUND, f"Nothing is at {shown(request.path)}; GET / lists what there is.")


def _error_from(exception: Exception) -> ApiError:
    error: ApiError | None = None
    match exception:
        case ApiError():
            return exception
        case RpcFailure():
            error = error_from_failure(exception)
        case exceptions.ValidationError():
            error = _validation_error(exception.detail)
        case AccountsUnavailable():
            error = ApiError(Reason.OVERLOADED, str(exception.detail))
        case exceptions.UnsupportedMediaType():
            message = f"{exception.detail} {SEND_JSON}, or an HTML form."
            error = ApiError(Reason.UNSUPPORTED_MEDIA_TYPE, message, [{"field": "Content-Type", "message": message}])
        case exceptions.APIException():
            reason = _REASON_BY_CODE.get(exception.status_code, Reason.INVALID_ARGUMENT)
            error = ApiError(reason, str(exception.detail)) if exception.status_code < 500 else None
        case Http404():
            error = ApiError(Reason.PATH_NOT_FOUND, "Nothing is at this path; GET / lists what there is.")
        case PermissionDenied():
            error = ApiError(Reason.PERMISSION_DENIED, str(exception) or "This is not allowed.")
        case RequestDataTooBig():
            most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
            error = ApiError(Reason.INVALID_ARGUMENT, f"At most {most} bytes of a body are read.")
        case DisallowedHost():
            error = ApiError(
                Reason.INVALID_ARGUMENT, "The Host header names no host of this server: see BOURSE_ALLOWED_HOSTS."
            )
        case BadRequest() | SuspiciousOperation():
            error = ApiError(Reason.INVALID_ARGUMENT, f"The request was refused: {str(exception)[:200]}")
    return error or _internal_error()


def _internal_error() -> ApiError:
    return ApiError(Reason.INTERNAL, "The server failed. Please report the request id.")


def _validation_error(detail: Any) -> ApiError:
    """Return one detail for each message of a serializer, and all of them as one sentence."""
    fields = detail if isinstance(detail, dict) else {"": detail}
    details = []
    for field, messages in fields.items():
        for message in messages if isinstance(messages, list) else [messages]:
            is_of_body = field in ("", "non_field_errors")
            details.append({"message": str(message)} if is_of_body else {"field": field, "message": str(message)})
    told = details[:MOST_DETAILS]
    message = "; ".join(f"{one['field']}: {one['message']}" if "field" in one else one["message"] for one in told)
    return ApiError(Reason.INVALID_ARGUMENT, message, told)


def _log(error: ApiError, exception: Exception, request: HttpRequest) -> None:
    if error.code < 500 or not error.is_news:
        return
    facts = {"request_id": request_id(request), "method": request.method, "path": request.path[:200]}
    if error.reason is Reason.INTERNAL:
        log.error("request failed", exc_info=exception, **facts)
    else:
        log.warning("request failed", reason=error.reason.told_as, message=error.message, **facts)


def _headers(error: ApiError) -> dict[str, str]:
    retry_after_s = error.reason.retry_after_s
    return {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}


def _answer(error: ApiError, request: HttpRequest) -> JsonResponse:
    headers = {"Cache-Control": "no-store", **_headers(error)}
    as_the_views_write = {"separators": (",", ":"), "ensure_ascii": False}
    return JsonResponse(
        envelope(error, request), status=error.code, headers=headers, json_dumps_params=as_the_views_write
    )
