"""Failures, and what they say of an order."""

import grpc
import pytest

from common.calls.failures import RpcFailure, failure_from_wire
from common.calls.reasons import Reason


def test_its_code_and_its_name_come_from_the_reason():
    failure = RpcFailure(Reason.FENCED, "epoch 3 is not 4", metadata={"epoch": 4})
    assert (failure.code, failure.wire_reason) == (grpc.StatusCode.ABORTED, "FENCED")
    assert str(failure) == "ABORTED FENCED: epoch 3 is not 4"
    assert (failure.number("epoch"), failure.number("leader_id")) == (4, 0)


def test_known_reason_from_the_wire_is_the_same_failure_again():
    failure = failure_from_wire(10, "FENCED", "epoch 3 is not 4", {"epoch": "4"})
    assert (failure.reason, str(failure)) == (Reason.FENCED, "ABORTED FENCED: epoch 3 is not 4")
    assert failure.metadata == {"epoch": "4"}


@pytest.mark.parametrize(("number", "code"), [(9, grpc.StatusCode.FAILED_PRECONDITION), (99, grpc.StatusCode.UNKNOWN)])
def test_unknown_reason_from_the_wire_keeps_its_text_and_code_and_may_be_executed(number, code):
    """A process of a later version refuses with what this one has never heard of."""
    failure = failure_from_wire(number, "MARKET_CLOSED", "come back on Monday", {})
    assert (failure.reason, failure.code, failure.wire_reason) == (Reason.UNKNOWN, code, "MARKET_CLOSED")
    assert failure.may_be_executed


@pytest.mark.parametrize(
    ("reason", "said", "may_be_executed"),
    [
        ("NO_ANSWER", None, True),
        ("NOT_LEADER", None, False),
        ("INSUFFICIENT_STOCK", None, False),
        # The leader's own word on an order goes before what its reason says.
        ("DISK_FULL", True, True),
        ("MARKET_CLOSED", False, False),
    ],
)
def test_whether_an_order_may_be_executed(reason, said, may_be_executed):
    failure = failure_from_wire(14, reason, "", {}, outcome_unknown=said)
    assert failure.may_be_executed is may_be_executed
    failure.was_sent = False
    assert not failure.may_be_executed


def test_again_is_another_exception_that_says_the_same():
    first = failure_from_wire(9, "MARKET_CLOSED", "come back on Monday", {"day": "1"}, outcome_unknown=True)
    twin = first.again()
    assert twin is not first
    assert (str(twin), twin.metadata, twin.may_be_executed) == (str(first), first.metadata, True)
    assert not first.again(was_sent=False).may_be_executed
    assert not first.again(was_sent=False).again().may_be_executed


def test_silence_is_no_answer():
    assert not RpcFailure(Reason.UNREACHABLE, "").was_answered
    assert RpcFailure(Reason.INTERNAL, "").was_answered
