"""Whether the catalog answers: what a call's end says of that."""

import pytest

from backends.failures import CatalogUnavailable
from backends.order.catalog_link import CatalogLink
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Call, run_steps
from protos import catalog_pb2
from tests.backends.order.direct import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def link(clock) -> CatalogLink:
    return CatalogLink("catalog:1", clock)


def call(link: CatalogLink, outcome: object) -> object:
    def perform(_effect):
        if isinstance(outcome, RpcFailure):
            raise outcome
        return outcome

    return run_steps(link.call(catalog_pb2.CatalogHealthRequest()), perform)


def test_nothing_was_heard_at_first(link):
    assert (link.is_reachable, link.is_fresh, link.heard_ms) == (True, False, None)


def test_answer_is_fresh_for_a_second(link, clock):
    assert call(link, "answer") == "answer"
    assert (link.is_reachable, link.is_fresh, link.heard_ms) == (True, True, 0)
    clock.now += 1.0
    assert (link.is_fresh, link.heard_ms) == (True, 1000)
    clock.now += 0.0001
    assert (link.is_fresh, link.heard_ms) == (False, 1001)
    assert link.is_reachable


def test_refusal_is_an_answer(link):
    with pytest.raises(RpcFailure, match="FENCED"):
        call(link, RpcFailure(Reason.FENCED, "why"))
    assert (link.is_reachable, link.is_fresh, link.heard_ms) == (True, True, 0)


@pytest.mark.parametrize(
    "reason", [Reason.UNREACHABLE, Reason.NO_ANSWER, Reason.SHUTTING_DOWN, Reason.TOO_MANY_STREAMS]
)
def test_silence_and_a_busy_server_are_none(link, clock, reason):
    call(link, "answer")
    clock.now += 0.3
    with pytest.raises(CatalogUnavailable, match=r"CATALOG: the catalog does not answer$"):
        call(link, RpcFailure(reason, "why"))
    assert (link.is_reachable, link.is_fresh, link.heard_ms) == (False, False, 300)
    call(link, "answer")
    assert link.is_reachable


def test_calls_have_deadlines(link):
    request = catalog_pb2.ListTradesRequest(after=3)
    assert next(link.call(request)) == Call("catalog:1", request, 1.0)
    assert next(link.call(request, 2.0)) == Call("catalog:1", request, 2.0)
    assert next(link.health()) == Call("catalog:1", catalog_pb2.CatalogHealthRequest(), 0.5)
