"""Places, the threads behind the ring, and the end."""

import threading
import time

import pytest

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from deploy.systems.waiting import wait_until
from trading.api.errors import ApiError
from trading.events import hub as hub_module
from trading.events import stream as stream_module
from trading.events.hub import EventHub
from trading.events.places import Places
from trading.events.query import EventQuery
from trading.events.ring import Event, EventRing
from trading.events.topics import LEADER, ORDER, TYPES

BEGUN = 2  # events of the ring that say that the sources have begun
ALL = EventQuery(frozenset(TYPES), frozenset())


class FakeSource:
    """A source that publishes what a test gives it; its next calls raise `failures`."""

    ring: EventRing

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.begun = threading.Event()
        self.waiting: list[Event] = []

    def make(self, ring):
        self.ring = ring
        return self

    def begin(self) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.begun.set()

    def tick(self) -> bool:
        threading.Event().wait(0.005)  # as long as a source waits for news
        if self.failures:
            raise self.failures.pop(0)
        events, self.waiting = self.waiting, []
        self.ring.publish(events)
        return bool(events)


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> FakeSource:
    monkeypatch.setattr(hub_module, "PAUSE_S", 0.01)
    return FakeSource()


@pytest.fixture
def replicas() -> FakeSource:
    return FakeSource()


@pytest.fixture
def hub(source: FakeSource, replicas: FakeSource):
    hub = EventHub(Places(2, 2), source.make, lambda ring: replicas.make(ring))
    yield hub
    hub.stop()


def received(stream, text: str) -> bool:
    return any(text.encode() in next(stream) for _piece in range(5))


def test_places_are_limited_and_given_back(hub):
    first, second = hub.open(ALL, None), hub.open(ALL, None)
    with pytest.raises(ApiError) as refusal:
        hub.open(ALL, None)
    assert refusal.value.reason is Reason.OVERLOADED
    second.close()
    third = hub.open(ALL, None)
    first.close()
    third.close()


def test_nothing_runs_before_the_first_stream(hub, source):
    assert not source.begun.is_set()
    hub.open(ALL, None)
    assert source.begun.wait(5)


def test_events_reach_every_stream(hub, source):
    streams = [hub.open(ALL, None), hub.open(ALL, None)]
    wait_until(lambda: hub.ring.has_begun, 5, "the sources")
    for stream in streams:
        assert b"event: place" in next(stream)
    source.waiting = [Event(ORDER, '{"number":1}')]
    assert all(received(stream, '"number":1') for stream in streams)


def test_sources_go_on_when_the_last_stream_is_gone(hub, source):
    stream = hub.open(ALL, None)
    wait_until(lambda: hub.ring.has_begun, 5, "the sources")
    opening = next(stream).decode()
    stream.close()
    source.waiting = [Event(ORDER, '{"number":1}')]
    wait_until(lambda: source.ring.last == BEGUN + 1, 5, "an event that nobody waits for")
    back = hub.open(ALL, opening.splitlines()[1].removeprefix("id: "))
    assert received(back, '"number":1')


def test_stream_opened_before_the_sources_could_begin_gets_a_reset(hub, source, monkeypatch):
    monkeypatch.setattr(stream_module, "BEGIN_S", 0.0)
    source.failures = [RpcFailure(Reason.NO_ANSWER, "no answer")] * 3
    stream = hub.open(EventQuery(frozenset({ORDER}), frozenset()), None)
    assert received(stream, "event: reset")


def test_stream_opened_before_the_replicas_were_seen_gets_a_reset(hub, replicas, monkeypatch):
    monkeypatch.setattr(stream_module, "BEGIN_S", 0.0)
    monkeypatch.setattr(hub_module, "INTERVAL_S", 0.01)
    replicas.failures = [RuntimeError("a bug")] * 3
    stream = hub.open(EventQuery(frozenset({LEADER}), frozenset()), None)
    assert received(stream, "event: reset")


def test_stream_opened_after_the_sources_have_begun_gets_no_reset(hub):
    hub.open(ALL, None)
    wait_until(lambda: hub.ring.has_begun, 5, "the sources")
    stream = hub.open(ALL, None)
    assert b"reset" not in next(stream) + stream.take()
    assert hub.ring.last == BEGUN


def test_failed_tick_is_followed_by_others(hub, source):
    stream = hub.open(ALL, None)
    wait_until(lambda: hub.ring.has_begun, 5, "the sources")
    source.failures = [RpcFailure(Reason.NO_ANSWER, "no answer"), RuntimeError("a bug")]
    wait_until(lambda: not source.failures, 5, "the failures")
    source.waiting = [Event(ORDER, '{"number":1}')]
    assert received(stream, '"number":1')


def test_stop_ends_every_stream_and_refuses_new_ones(hub):
    stream = hub.open(ALL, None)
    next(stream)
    hub.stop()
    with pytest.raises(StopIteration):
        next(stream)
    with pytest.raises(ApiError) as refusal:
        hub.open(ALL, None)
    assert refusal.value.reason is Reason.SHUTTING_DOWN


def test_open_never_waits_for_the_sources(hub, source):
    source.failures = [RpcFailure(Reason.NO_ANSWER, "no answer")] * 1000
    began = time.monotonic()
    stream = hub.open(ALL, None)
    assert stream.take() == b""
    assert time.monotonic() - began < stream_module.BEGIN_S
