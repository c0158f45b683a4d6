"""One shape for every failure that crosses a process border: a canonical code, a reason for programs, a message."""

from collections.abc import Mapping

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

REASON_DOMAIN = "bourse"
# The trailer in which gRPC carries a google.rpc.Status.
STATUS_DETAILS_KEY = "grpc-status-details-bin"

# Reasons for failures that no process of ours answered with: gRPC made them.
UNREACHABLE = "UNREACHABLE"
NO_ANSWER = "NO_ANSWER"

# How gRPC says that there was no connection to send a call on. Should its words ever change, such a call counts as one
# that may have been sent: the safe side.
_NOT_CONNECTED = "failed to connect to all addresses"

_CODE_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}


class RpcFailure(Exception):
    """A call that failed: raised by the code that refuses, and again at the caller.

    Attributes:
        code: the canonical gRPC status code.
        reason: a name in capitals from protos/*.proto, or UNREACHABLE / NO_ANSWER when no process answered.
        message: a sentence for people that names the values.
        metadata: what the reason promises, as text (`leader_id`, `epoch`, `last_number`, ...).
        was_sent: False if there was not even a connection to send the call on: certainly nothing was done with it.
    """

    code = grpc.StatusCode.UNKNOWN
    reason = "UNKNOWN"
    was_sent = True

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode | None = None,
        reason: str | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        if reason is not None:
            self.reason = reason
        self.metadata = {key: str(value) for key, value in (metadata or {}).items()}

    def __str__(self) -> str:
        return f"{self.code.name} {self.reason}: {self.message}"

    @property
    def was_answered(self) -> bool:
        """Whether a process of ours answered; if not, nobody knows what became of the call."""
        return self.reason not in (UNREACHABLE, NO_ANSWER)

    def number(self, key: str, default: int = 0) -> int:
        """Return a metadata value as an integer, `default` if it is missing."""
        return int(self.metadata.get(key, default))


def code_from_number(number: int) -> grpc.StatusCode:
    """Return the canonical code with this number, UNKNOWN for one that gRPC does not define."""
    return _CODE_BY_NUMBER.get(number, grpc.StatusCode.UNKNOWN)


def status_from_failure(failure: RpcFailure) -> grpc.Status:
    """Return the status that carries the failure's reason and metadata to the caller."""
    info = error_details_pb2.ErrorInfo(reason=failure.reason, domain=REASON_DOMAIN, metadata=failure.metadata)
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
            return RpcFailure(
                status.message, code=code_from_number(status.code), reason=info.reason, metadata=dict(info.metadata)
            )
    return None


def failure_from_error(error: grpc.RpcError, address: str) -> RpcFailure:
    """Return what a gRPC error at the caller means; `address` is the process that was called."""
    status = rpc_status.from_call(error)
    if status is not None and (answered := failure_from_status(status)) is not None:
        return answered
    code: grpc.StatusCode = error.code()
    reason = {
        grpc.StatusCode.DEADLINE_EXCEEDED: NO_ANSWER,
        grpc.StatusCode.CANCELLED: NO_ANSWER,
        grpc.StatusCode.UNAVAILABLE: UNREACHABLE,
    }.get(code, code.name)
    failure = RpcFailure(f"{address}: {error.details()}", code=code, reason=reason)
    failure.was_sent = not (reason == UNREACHABLE and (error.details() or "").startswith(_NOT_CONNECTED))
    return failure
