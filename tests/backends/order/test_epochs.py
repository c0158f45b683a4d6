"""An epoch is begun at the catalog with what the log holds, and a log that differs is shown to it."""

import pytest

from backends.failures import CatalogUnavailable, Diverged
from backends.order.catalog_link import CatalogLink
from backends.order.epochs import HeldLog, begin_epoch, log_that_differs, read_missing, show_log
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Call
from protos import catalog_pb2
from tests.backends.order.direct import CATALOG, buy, unreachable


@pytest.fixture
def link(led) -> CatalogLink:
    return CatalogLink(CATALOG, led.clock)


@pytest.fixture
def store(led):
    """That of replica 1, which lacks the last two of three orders."""
    led.place(3, buy("k0"))
    led.stop_replica(1)
    for n in (1, 2):
        led.place(3, buy(f"k{n}"))
    return led.start_replica(1).store


def never(_failure: object) -> bool:
    return False


def requests(led, kind):
    return [request for _, request in led.network.sent if isinstance(request, kind)]


def test_what_is_lacking_is_read_page_by_page_and_to_the_end_unless_it_takes_too_long(led, link, store):
    led.network.page_rows = 1
    asked: list[int] = []

    def gives_up() -> bool:
        asked.append(store.last_number)
        return True

    assert led.network.run(read_missing(link, store, gives_up)) is False
    assert (asked, store.last_number) == ([2], 2)
    assert led.network.run(read_missing(link, store, gives_up)) is True
    assert (asked, store.last_number) == ([2], 3)
    assert led.network.run(read_missing(link, store)) is True


def test_log_that_is_longer_than_the_journal_is_its_own_proof(led, link, store):
    led.network.run(read_missing(link, store))
    led.stop_catalog()
    led.roll_back_catalog(rows_left=1)
    led.start_catalog()
    with pytest.raises(Diverged, match="the log holds 3 orders, the catalog only 1") as caught:
        led.network.run(read_missing(link, store))
    assert caught.value.metadata == {"number": "3", "chain": str(store.chain_at(3))}


def test_epoch_is_begun_with_what_is_held_and_what_is_lacking_is_read_afterwards(led, link, store):
    led.network.sent.clear()
    steps = begin_epoch(link, store, 1, 1, never)
    held = store.position
    call = next(steps)
    assert isinstance(call, Call)
    assert call.timeout_s == 2.0  # as long as a sync may take: asked sooner, it would begin epoch after epoch
    assert call.request == catalog_pb2.BeginEpochRequest(
        leader_id=1, expected_epoch=1, number=held.number, chain=held.chain, cluster_id=led.catalog.cluster_id
    )
    assert led.network.run(begin_epoch(link, store, 1, 1, never)) == 2
    assert store.last_number == 3


def test_journal_with_another_chain_than_the_log_proves_that_they_differ(led, link, store):
    handle = led.network.handlers[CATALOG]

    def answer(request):
        response = handle(request)
        if isinstance(response, catalog_pb2.BeginEpochResponse):
            response.last_chain ^= 1
        return response

    led.network.handlers[CATALOG] = answer
    with pytest.raises(Diverged, match="another chain at order 3 than the catalog's") as caught:
        led.network.run(begin_epoch(link, store, 1, 1, never))
    assert caught.value.metadata == {"number": "3", "chain": str(store.chain_at(3))}


def test_silent_catalog_is_asked_again_until_it_is_given_up(led, link, store):
    led.stop_catalog()
    told: list[CatalogUnavailable] = []
    began = led.clock.now

    def gives_up(failure: CatalogUnavailable) -> bool:
        told.append(failure)
        return len(told) == 3

    with pytest.raises(CatalogUnavailable):
        led.network.run(begin_epoch(link, store, 1, 1, gives_up))
    assert [failure.reason for failure in told] == [Reason.CATALOG] * 3
    assert led.clock.now - began == pytest.approx(0.2)


def test_own_lost_answers_are_gone_on_from(led, link):
    """Two epochs were begun and nobody heard of it; the third is answered."""
    led.assign(2)
    asked: list[int] = []

    def note(_address, request):
        if isinstance(request, catalog_pb2.BeginEpochRequest):
            asked.append(request.expected_epoch)
            assert len(asked) < 6, asked

    def lose_two(address, request):
        if isinstance(request, catalog_pb2.BeginEpochRequest) and led.catalog_health().epoch < 5:
            raise unreachable(address)

    led.network.before, led.network.after = note, lose_two
    assert led.network.run(begin_epoch(link, led.replicas[1].store, 1, 2, never)) == 5
    assert asked == [2, 2, 3, 3, 4]
    assert led.catalog_health().leader_id == 1


@pytest.mark.parametrize(("replica_id", "expected_epoch"), [(1, 2), (3, 1)])
def test_epoch_that_another_began_or_not_just_now_is_no_lost_answer(led, link, replica_id, expected_epoch):
    """The newest is 3, of replica 3; replica 2 led before it."""
    led.assign(2)
    led.assign(3)
    with pytest.raises(RpcFailure) as caught:
        led.network.run(begin_epoch(link, led.replicas[replica_id].store, replica_id, expected_epoch, never))
    assert (caught.value.reason, caught.value.metadata) == (Reason.FENCED, {"epoch": "3", "leader_id": "3"})
    assert led.catalog_health().epoch == 3


def test_log_that_differs_is_the_one_that_the_failure_names_else_the_own(store):
    named = {"number": 7, "chain": 99}
    assert log_that_differs(Diverged("it", metadata={**named, "replica_id": 2}), store, 1) == HeldLog(2, 7, 99)
    assert log_that_differs(Diverged("it", metadata=named), store, 1) == HeldLog(1, 7, 99)
    assert log_that_differs(Diverged("it", metadata={}), store, 1) == HeldLog(1, *store.position)


def test_log_is_shown_whole(led, link):
    led.network.sent.clear()
    with pytest.raises(RpcFailure, match="replica 2 holds order 7, but the last trade here is 0"):
        led.network.run(show_log(link, led.catalog.cluster_id, 3, 1, HeldLog(2, 7, 99)))
    assert requests(led, catalog_pb2.BeginEpochRequest) == [
        catalog_pb2.BeginEpochRequest(
            leader_id=3, expected_epoch=1, number=7, chain=99, holder_id=2, cluster_id=led.catalog.cluster_id
        )
    ]
