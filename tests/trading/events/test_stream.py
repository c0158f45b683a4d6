import pytest

from tests.trading.fake_network import FakeClock
from trading.events import stream as stream_module
from trading.events.query import EventQuery
from trading.events.ring import ORDER, STOCK, TYPES, Event, EventRing
from trading.events.stream import EventStream

ALL = EventQuery(frozenset(TYPES), frozenset())


@pytest.fixture(autouse=True)
def quick_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "PROBE_S", 0.001)


@pytest.fixture
def ring() -> EventRing:
    return EventRing("ab", capacity=5)


def opened(ring: EventRing, query: EventQuery = ALL, last_event_id: str | None = None, clock=None) -> EventStream:
    return EventStream(ring, query, last_event_id, clock or FakeClock(), lambda: None)


def publish(ring: EventRing, *numbers: int, name: str = "ACME") -> None:
    ring.publish([Event(ORDER, f'{{"number":{number}}}', name) for number in numbers])


def ids(text: bytes) -> list[str]:
    return [line.removeprefix("id: ") for line in text.decode().splitlines() if line.startswith("id: ")]


def test_stream_begins_with_what_happens_from_now_on_and_tells_its_place(ring):
    publish(ring, 1, 2)
    stream = opened(ring)
    assert next(stream) == b"retry: 1000\n: ab-2\nid: ab-2\n\n"
    assert next(stream) == b""
    publish(ring, 3)
    assert next(stream) == b'id: ab-3\nevent: order\ndata: {"number":3}\n\n'


def test_stream_goes_on_behind_the_last_event(ring):
    publish(ring, 1, 2, 3)
    stream = opened(ring, last_event_id="ab-1")
    assert b"reset" not in next(stream)
    assert ids(next(stream)) == ["ab-2", "ab-3"]


@pytest.mark.parametrize("unknown", ["", "cd-1", "ab-1", "ab-8", "nonsense"])
def test_place_that_is_not_kept_begins_with_one_reset(ring, unknown):
    publish(ring, *range(1, 8))
    stream = opened(ring, last_event_id=unknown)
    assert next(stream).endswith(b'id: ab-7\nevent: reset\ndata: {"reason": "unknown_id"}\n\n')
    publish(ring, 8)
    assert ids(next(stream)) == ["ab-8"]


def test_stream_that_is_overtaken_gets_a_reset_and_goes_on(ring):
    stream = opened(ring)
    next(stream)
    publish(ring, *range(1, 8))
    assert next(stream) == b'id: ab-7\nevent: reset\ndata: {"reason": "overrun"}\n\n'
    publish(ring, 8)
    assert ids(next(stream)) == ["ab-8"]


def test_comment_every_15_seconds_moves_the_place_past_what_was_left_out(ring):
    clock = FakeClock()
    stream = opened(ring, EventQuery(frozenset({STOCK}), frozenset()), clock=clock)
    next(stream)
    publish(ring, 1, 2)
    assert next(stream) == b""
    clock.now += 15
    assert next(stream) == b": ab-2\nid: ab-2\n\n"
    assert next(stream) == b""


def test_large_gap_is_given_in_pieces(monkeypatch):
    monkeypatch.setattr(stream_module, "MOST_EVENTS", 2)
    ring = EventRing("ab", capacity=5)
    stream = opened(ring)
    next(stream)
    publish(ring, 1, 2, 3)
    assert [ids(next(stream)) for _ in range(2)] == [["ab-1", "ab-2"], ["ab-3"]]


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
