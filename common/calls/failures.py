"""One shape for every failure that crosses a process border: a reason for programs, a message, what it promises."""

from collections.abc import Mapping

import grpc

from common.calls.reasons import Reason

_CODE_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}


class RpcFailure(Exception):
    """A call that failed: raised by the code that refuses, and again at the caller.

    Attributes:
        reason: why; Reason.UNKNOWN for what a process of another version, or gRPC, has said and this one does not know.
        wire_reason: the name under which the reason travels; of an unknown one the name that came.
        code: the canonical gRPC status code: the reason's, of an unknown one that which came.
        message: a sentence for people that names the values.
        metadata: what the reason promises, as text (`leader_id`, `epoch`, `last_number`, ...).
        was_sent: False if there was not even a connection to send the call on: certainly nothing was done with it.
        outcome_unknown: what the leader itself said of an order: whether this attempt may have been executed, or may be
            later. None where it said nothing: its reason tells.
    """

    was_sent = True
    outcome_unknown: bool | None = None

    def __init__(self, reason: Reason, message: str, *, metadata: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.wire_reason = reason.name
        self.code = reason.code
        self.message = message
        self.metadata = {key: str(value) for key, value in (metadata or {}).items()}

    def __str__(self) -> str:
        return f"{self.code.name} {self.wire_reason}: {self.message}"

    @property
    def may_be_executed(self) -> bool:
        """Whether the order may be executed although the attempt failed so; true whenever that cannot be excluded."""
        if not self.was_sent:
            return False
        return self.reason.may_be_executed if self.outcome_unknown is None else self.outcome_unknown

    @property
    def was_answered(self) -> bool:
        """Whether a process of ours answered; if not, nobody knows what became of the call."""
        return not self.reason.is_silence

    def number(self, key: str, default: int = 0) -> int:
        """Return a metadata value as an integer, `default` if it is missing."""
        return int(self.metadata.get(key, default))

    def again(self, *, was_sent: bool = True) -> "RpcFailure":
        """Return it for somebody else who is told the same: a raised exception carries the trace of its thread.

        With `was_sent=False`, for one whose call waited behind the one that failed, and was never made.
        """
        twin = RpcFailure(self.reason, self.message, metadata=self.metadata)
        twin.wire_reason, twin.code, twin.outcome_unknown = self.wire_reason, self.code, self.outcome_unknown
        twin.was_sent = self.was_sent and was_sent
        return twin


def failure_from_wire(
    code: int, reason: str, message: str, metadata: Mapping[str, str], *, outcome_unknown: bool | None = None
) -> RpcFailure:
    """Return the failure that another process has told of, `code` being the number of the canonical code.

    A reason that this version does not have is kept as it came, with its code; the order may have been executed.
    """
    failure = RpcFailure(Reason.named(reason), message, metadata=metadata)
    failure.outcome_unknown = outcome_unknown
    if failure.reason is Reason.UNKNOWN:
        failure.wire_reason = reason
        failure.code = _CODE_BY_NUMBER.get(code, grpc.StatusCode.UNKNOWN)
    return failure
