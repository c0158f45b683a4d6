"""Failures as gRPC statuses; the whole way, through servers, is in test_network.py and test_streams.py."""

from typing import Any, cast

import grpc
import pytest
from google.rpc import status_pb2

from common.calls.failures import RpcFailure, failure_from_wire
from common.calls.reasons import Reason
from common.calls.statuses import (
    STATUS_DETAILS_KEY,
    failure_from_error,
    failure_from_status,
    status_from_failure,
)


class GrpcError(grpc.RpcError):
    """An error that gRPC itself made: no process of ours has answered."""

    def __init__(self, code: grpc.StatusCode, details: str | None = "") -> None:
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str | None:
        return self._details

    def trailing_metadata(self) -> Any:
        return ()


def over_the_wire(failure: RpcFailure) -> RpcFailure | None:
    trailers = dict(status_from_failure(failure).trailing_metadata)
    return failure_from_status(status_pb2.Status.FromString(cast(bytes, trailers[STATUS_DETAILS_KEY])))


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_arrives_as_it_was_sent(reason):
    arrived = over_the_wire(RpcFailure(reason, "a sentence", metadata={"epoch": 4}))
    assert arrived is not None
    assert (arrived.reason, arrived.code, arrived.message) == (reason, reason.code, "a sentence")
    assert arrived.metadata == {"epoch": "4"}


def test_what_this_version_does_not_know_is_handed_on_as_it_came():
    arrived = over_the_wire(failure_from_wire(9, "MARKET_CLOSED", "come back on Monday", {}))
    assert arrived is not None
    assert (arrived.wire_reason, arrived.code) == ("MARKET_CLOSED", grpc.StatusCode.FAILED_PRECONDITION)


@pytest.mark.parametrize(
    ("code", "details", "reason", "was_sent"),
    [
        (grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded", Reason.NO_ANSWER, True),
        (grpc.StatusCode.CANCELLED, "", Reason.NO_ANSWER, True),
        (grpc.StatusCode.UNAVAILABLE, "Socket closed", Reason.UNREACHABLE, True),
        (grpc.StatusCode.UNAVAILABLE, "failed to connect to all addresses; last error", Reason.UNREACHABLE, False),
        (grpc.StatusCode.UNAVAILABLE, None, Reason.UNREACHABLE, True),
    ],
)
def test_grpcs_silence(code, details, reason, was_sent):
    failure = failure_from_error(GrpcError(code, details), "order:1")
    assert (failure.reason, failure.was_sent) == (reason, was_sent)


@pytest.mark.parametrize("code", [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE])
def test_grpcs_own_codes_are_none_of_our_reasons_of_the_same_name(code):
    """None of our processes has said that nothing was done."""
    failure = failure_from_error(GrpcError(code, "a proxy's word"), "order:1")
    assert (failure.reason, failure.code, failure.wire_reason) == (Reason.UNKNOWN, code, code.name)
    assert failure.may_be_executed
