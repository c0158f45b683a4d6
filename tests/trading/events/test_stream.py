import threading
import time

import pytest

from tests.trading.fake_network import FakeClock
from trading.events import stream as stream_module
from trading.events.query import EventQuery
from trading.events.ring import Event, EventRing
from trading.events.stream import EventStream
from trading.events.topics import LEADER, ORDER, STOCK, TYPES

ALL = EventQuery(frozenset(TYPES), frozenset())


@pytest.fixture(autouse=True)
def quick_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "PROBE_S", 0.001)


@pytest.fixture
def ring() -> EventRing:
    ring = EventRing("ab", capacity=5)
    ring.begin()
    return ring


def opened(ring: EventRing, query: EventQuery = ALL, last_event_id: str | None = None, clock=None) -> EventStream:
    return EventStream(ring, query, last_event_id, clock or FakeClock(), lambda: None)


def publish(ring: EventRing, *numbers: int, name: str = "ACME") -> None:
    ring.publish([Event(ORDER, f'{{"number":{number}}}', name) for number in numbers])


def ids(text: bytes) -> list[str]:
    return [line.removeprefix("id: ") for line in text.decode().splitlines() if line.startswith("id: ")]


def test_stream_begins_with_what_happens_from_now_on_and_tells_its_place(ring):
    publish(ring, 1, 2)
    stream = opened(ring)
    assert next(stream) == b"retry: 1000\nid: ab-2\nevent: place\ndata: {}\n\n"
    assert next(stream) == b""
    publish(ring, 3)
    assert next(stream) == b'id: ab-3\nevent: order\ndata: {"number":3}\n\n'


def test_stream_goes_on_behind_the_last_event(ring):
    publish(ring, 1, 2, 3)
    stream = opened(ring, last_event_id="ab-1")
    assert next(stream) == b"retry: 1000\nid: ab-1\nevent: place\ndata: {}\n\n"
    assert ids(next(stream)) == ["ab-2", "ab-3"]


@pytest.mark.parametrize("unknown", ["", "cd-1", "ab-1", "ab-8", "nonsense"])
def test_place_that_is_not_kept_begins_with_one_reset(ring, unknown):
    publish(ring, *range(1, 8))
    stream = opened(ring, last_event_id=unknown)
    reset = b'id: ab-7\nevent: reset\ndata: {"reason": "unknown_id"}\n\n'
    assert next(stream) == b"retry: 1000\n" + reset + b"id: ab-7\nevent: place\ndata: {}\n\n"
    publish(ring, 8)
    assert ids(next(stream)) == ["ab-8"]


def test_stream_that_is_overtaken_gets_a_reset_and_goes_on(ring):
    stream = opened(ring)
    next(stream)
    publish(ring, *range(1, 8))
    assert next(stream) == b'id: ab-7\nevent: reset\ndata: {"reason": "overrun"}\n\n'
    publish(ring, 8)
    assert ids(next(stream)) == ["ab-8"]


def test_comment_every_15_seconds_ends_no_event(ring):
    clock = FakeClock()
    stream = opened(ring, EventQuery(frozenset({STOCK}), frozenset()), clock=clock)
    next(stream)
    publish(ring, 1)
    assert next(stream) == b""
    clock.now += 15
    assert next(stream) == b":\n"
    assert next(stream) == b""


def test_place_that_has_moved_far_past_what_was_not_wanted_is_told(monkeypatch):
    ring = EventRing("ab", capacity=8)
    ring.begin()
    stream = opened(ring, EventQuery(frozenset({STOCK}), frozenset()))
    next(stream)
    publish(ring, 1, 2)
    assert not stream.is_due
    assert next(stream) == b""
    publish(ring, 3)
    assert stream.is_due
    assert next(stream) == b"id: ab-3\nevent: place\ndata: {}\n\n"
    publish(ring, 4)
    assert next(stream) == b""


def test_stream_waits_until_the_sources_have_begun(monkeypatch):
    ring, clock = EventRing("ab"), FakeClock()
    waiting, early = (opened(ring, clock=clock) for _ in range(2))
    assert next(waiting) == b""
    clock.now += stream_module.BEGIN_S
    assert early.is_due
    assert next(early).endswith(b"id: ab-0\nevent: place\ndata: {}\n\n")
    publish(ring, 1)
    ring.begin()
    assert ids(next(early)) == ["ab-1"]
    assert next(waiting).endswith(b"id: ab-1\nevent: place\ndata: {}\n\n")


def test_what_happens_once_the_stream_has_begun_is_seen(ring):
    stream = opened(ring)
    assert stream.begin()
    publish(ring, 1)
    assert ids(next(stream) + next(stream)) == ["ab-0", "ab-1"]


def test_thread_waits_for_the_beginning():
    ring = EventRing("ab")
    stream = EventStream(ring, ALL, None, time.monotonic, lambda: None)
    waiting = threading.Thread(target=stream.wait_to_begin)
    waiting.start()
    publish(ring, 1)
    assert waiting.is_alive()
    ring.begin()
    waiting.join(0.9 * stream_module.BEGIN_S)
    assert not waiting.is_alive()
    assert ids(next(stream)) == ["ab-1"]


def test_thread_does_not_wait_for_the_beginning_for_ever_or_after_the_end(monkeypatch):
    monkeypatch.setattr(stream_module, "BEGIN_S", 0.05)
    stream = EventStream(EventRing("ab"), ALL, None, time.monotonic, lambda: None)
    stream.wait_to_begin()
    assert ids(next(stream)) == ["ab-0"]
    ring = EventRing("ab")
    ring.close()
    stream = EventStream(ring, ALL, None, time.monotonic, lambda: None)
    stream.wait_to_begin()
    assert list(stream) == []


def test_stream_that_waited_elsewhere_goes_on_behind_the_number_it_is_told(ring):
    stream = opened(ring, EventQuery(frozenset({LEADER}), frozenset()))
    stream.pass_over(1)
    next(stream)
    publish(ring, *range(1, 8))
    stream.pass_over(7)
    stream.pass_over(5)
    assert b"reset" not in stream.take()


def test_stream_ends_with_the_ring_and_gives_its_place_back_once(ring):
    left = []
    stream = EventStream(ring, ALL, None, FakeClock(), lambda: left.append(1))
    next(stream)
    ring.close()
    assert list(stream) == []
    stream.close()
    stream.close()
    assert left == [1]


def test_stream_of_an_account_ends_soon_so_that_its_token_is_looked_at_again(ring):
    clock = FakeClock()
    everybody = opened(ring, clock=clock)
    of_account = opened(ring, EventQuery(frozenset(TYPES), frozenset(), account="ann"), clock=clock)
    next(everybody), next(of_account)
    clock.now += 59
    next(of_account)
    clock.now += 1
    assert list(of_account) == []
    next(everybody)
