"""Failures as gRPC statuses: how one leaves the process that refuses, and how it arrives at the caller."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import grpc
import structlog
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from common.calls.failures import RpcFailure, failure_from_wire
from common.calls.reasons import Reason

REASON_DOMAIN = "bourse"
# The trailer in which gRPC carries a google.rpc.Status.
STATUS_DETAILS_KEY = "grpc-status-details-bin"

# How gRPC says that there was no connection to send a call on. Should its words ever change, such a call counts as one
# that may have been sent: the safe side.
_NOT_CONNECTED = "failed to connect to all addresses"

# What gRPC itself answers when no process of ours does.
_SILENCE = {
    grpc.StatusCode.DEADLINE_EXCEEDED: Reason.NO_ANSWER,
    grpc.StatusCode.CANCELLED: Reason.NO_ANSWER,
    grpc.StatusCode.UNAVAILABLE: Reason.UNREACHABLE,
}

log = structlog.get_logger()


@contextmanager
def aborting_on_failures(context: grpc.ServicerContext) -> Iterator[None]:
    """Answer a raised RpcFailure as its status. Anything else is a bug: INTERNAL, with the trace in the log only."""
    try:
        yield
    except RpcFailure as failure:
        _abort(context, failure)
    except grpc.RpcError:
        raise
    except Exception as error:
        log.exception("internal error")
        _abort(context, RpcFailure(Reason.INTERNAL, f"internal error: {type(error).__name__}"))


def _abort(context: grpc.ServicerContext, failure: RpcFailure) -> NoReturn:
    context.abort_with_status(status_from_failure(failure))


def status_from_failure(failure: RpcFailure) -> grpc.Status:
    """Return the status that carries the failure's reason and metadata to the caller."""
    info = error_details_pb2.ErrorInfo(reason=failure.wire_reason, domain=REASON_DOMAIN, metadata=failure.metadata)
    detail = any_pb2.Any()
    detail.Pack(info)
    status: grpc.Status = rpc_status.to_status(
        status_pb2.Status(code=code_pb2.Code.Value(failure.code.name), message=failure.message, details=[detail])
    )
    return status


def failure_from_status(status: status_pb2.Status) -> RpcFailure | None:
    """Return the failure that a status carries, None if no process of ours made it."""
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info) and info.domain == REASON_DOMAIN:
            return failure_from_wire(status.code, info.reason, status.message, info.metadata)
    return None


def failure_from_error(error: grpc.RpcError, address: str) -> RpcFailure:
    """Return what a gRPC error at the caller means; `address` is the process that was called."""
    status = rpc_status.from_call(error)
    if status is not None and (answered := failure_from_status(status)) is not None:
        return answered
    code: grpc.StatusCode = error.code()
    details = error.details() or ""
    silence = _SILENCE.get(code)
    if silence is None:  # gRPC's own word: whatever it is, it is none of our reasons
        failure = RpcFailure(Reason.UNKNOWN, f"{address}: {details}")
        failure.code, failure.wire_reason = code, code.name
        return failure
    failure = RpcFailure(silence, f"{address}: {details}")
    failure.was_sent = not (silence is Reason.UNREACHABLE and details.startswith(_NOT_CONNECTED))
    return failure
