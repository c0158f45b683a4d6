import threading
import time

import pytest

from trading.events.ring import ORDER, Event, EventRing


def event(number: int) -> Event:
    return Event(ORDER, str(number))


@pytest.fixture
def ring() -> EventRing:
    return EventRing("run", capacity=5)


def test_events_are_read_behind_a_number(ring):
    ring.publish([event(1), event(2), event(3)])
    assert ring.last == 3
    assert ring.read(0, 10, 0) == [event(1), event(2), event(3)]
    assert ring.read(1, 1, 0) == [event(2)]
    assert ring.read(3, 10, 0) == []


def test_reader_that_was_overtaken_is_told(ring):
    ring.publish([event(number) for number in range(1, 8)])
    assert ring.read(1, 10, 0) is None
    assert ring.read(2, 10, 0) == [event(number) for number in range(3, 8)]


@pytest.mark.parametrize(("number", "is_held"), [(-1, False), (1, False), (2, True), (7, True), (8, False)])
def test_what_is_held(ring, number, is_held):
    ring.publish([event(number) for number in range(1, 8)])
    assert ring.holds_all_after(number) == is_held


def test_reader_waits_for_news_and_no_longer(ring):
    found = []
    reader = threading.Thread(target=lambda: found.append(ring.read(0, 10, 10)))
    reader.start()
    ring.publish([event(1)])
    reader.join(5)
    assert found == [[event(1)]]
    began = time.monotonic()
    assert ring.read(1, 10, 0.1) == []
    assert 0.05 < time.monotonic() - began < 5


def test_close_wakes_every_reader(ring):
    readers = [threading.Thread(target=ring.read, args=(0, 10, 60)) for _ in range(3)]
    for reader in readers:
        reader.start()
    ring.close()
    for reader in readers:
        reader.join(5)
        assert not reader.is_alive()
    assert ring.is_closed


def test_readers_of_one_ring_all_see_all_in_order():
    ring = EventRing("run", capacity=1000)
    seen: list[list[str]] = [[] for _ in range(3)]

    def follow(own: list[str]) -> None:
        while len(own) < 600:
            events = ring.read(len(own), 7, 5)
            assert events
            own += [one.data for one in events]

    readers = [threading.Thread(target=follow, args=(own,)) for own in seen]
    for reader in readers:
        reader.start()
    for number in range(1, 601, 3):
        ring.publish([event(number), event(number + 1), event(number + 2)])
    for reader in readers:
        reader.join(10)
    assert seen == [[str(number) for number in range(1, 601)]] * 3
