import threading
import time

import pytest

from trading.events import ring as ring_module
from trading.events.ring import Event, EventRing, Read
from trading.events.topics import ORDER, STOCK, TYPES, query_topics

ALL = query_topics(frozenset(TYPES), frozenset(), None)
STOCKS = query_topics(frozenset({STOCK}), frozenset(), None)


def event(number: int) -> Event:
    return Event(ORDER, str(number))


def lines(*numbers: int) -> bytes:
    return b"".join(b"id: ab-%d\nevent: order\ndata: %d\n\n" % (number, number) for number in numbers)


def publish(ring: EventRing, *numbers: int) -> None:
    ring.publish([event(number) for number in numbers])


@pytest.fixture
def ring() -> EventRing:
    return EventRing("ab", capacity=5)


def test_events_are_read_behind_a_number_as_lines_with_their_ids(ring):
    publish(ring, 1, 2, 3)
    assert ring.last == 3
    assert ring.read(0, ALL) == Read(lines(1, 2, 3), told=3, place=3)
    assert ring.read(2, ALL) == Read(lines(3), told=3, place=3)
    assert ring.read(3, ALL) == Read(b"", told=0, place=3)


def test_what_is_not_wanted_is_passed_over(ring):
    ring.publish([event(1), Event(STOCK, "{}"), event(3)])
    assert ring.read(0, STOCKS) == Read(b"id: ab-2\nevent: stock\ndata: {}\n\n", told=2, place=3)
    assert ring.read(2, STOCKS) == Read(b"", told=0, place=3)


def test_one_read_is_bounded_in_bytes_and_in_events_that_are_looked_at(ring, monkeypatch):
    publish(ring, 1, 2, 3, 4)
    monkeypatch.setattr(ring_module, "MOST_PIECE_BYTES", len(lines(1, 2)))
    assert ring.read(0, ALL) == Read(lines(1, 2), told=2, place=2)
    monkeypatch.setattr(ring_module, "MOST_LOOKED_AT", 3)
    assert ring.read(0, STOCKS) == Read(b"", told=0, place=3)


def test_readers_of_one_place_who_want_the_same_of_the_window_share_one_piece(ring):
    publish(ring, 1)
    ring.publish([Event(STOCK, "{}", "ACME"), Event(ORDER, "2", "ACME", account="ann")])
    ring.open_window(0, 3)
    reads = {
        who: ring.read(0, query_topics(frozenset({ORDER, STOCK}), frozenset(), who))
        for who in (None, "ann", "bob", "cid")
    }
    assert reads["bob"] is not None
    assert reads["bob"].piece is reads["cid"].piece
    assert reads["bob"].piece.count(b"event: ") == 2
    assert reads["ann"].piece == reads[None].piece
    publish(ring, 4)
    assert ring.read(0, ALL).place == 3  # to the end of the window; then on
    assert ring.read(3, ALL) == Read(b"id: ab-4\nevent: order\ndata: 4\n\n", told=4, place=4)


def test_window_tells_what_its_events_are_about(ring):
    publish(ring, 1)
    ring.publish([Event(STOCK, "{}", "ACME")])
    about = ring.open_window(1, 2)
    assert not STOCKS.isdisjoint(about)
    assert query_topics(frozenset({ORDER}), frozenset(), None).isdisjoint(about)
    publish(ring, *range(3, 8))
    assert ring.open_window(1, 7) is None


def test_reader_that_was_overtaken_is_told(ring):
    publish(ring, *range(1, 8))
    assert ring.read(1, ALL) is None
    assert ring.read(2, ALL) == Read(lines(*range(3, 8)), told=7, place=7)


@pytest.mark.parametrize(("number", "is_held"), [(-1, False), (1, False), (2, True), (7, True), (8, False)])
def test_what_is_held(ring, number, is_held):
    publish(ring, *range(1, 8))
    assert ring.holds_all_after(number) == is_held


def test_thread_waits_for_news_and_no_longer(ring):
    reader = threading.Thread(target=ring.wait, args=(0, 60))
    reader.start()
    publish(ring, 1)
    reader.join(5)
    assert not reader.is_alive()
    began = time.monotonic()
    ring.wait(1, 0.1)
    assert 0.05 < time.monotonic() - began < 5


def test_thread_waits_for_the_beginning(ring):
    reader = threading.Thread(target=ring.wait, args=(None, 60))
    reader.start()
    publish(ring, 1)
    reader.join(0.05)
    assert reader.is_alive()
    ring.begin()
    reader.join(5)
    assert not reader.is_alive()
    assert ring.has_begun


def test_close_wakes_every_reader(ring):
    readers = [threading.Thread(target=ring.wait, args=(0, 60)) for _ in range(3)]
    for reader in readers:
        reader.start()
    ring.close()
    for reader in readers:
        reader.join(5)
        assert not reader.is_alive()
    assert ring.is_closed


def test_listener_is_called_once_for_each_publish_and_at_the_beginning_and_the_end(ring):
    heard = []
    ring.listen(lambda: heard.append((ring.last, ring.has_begun, ring.is_closed)))
    publish(ring, 1, 2, 3)
    ring.begin()
    ring.close()
    assert heard == [(3, False, False), (3, True, False), (3, True, True)]


def test_readers_of_one_ring_all_see_all_in_order():
    ring = EventRing("ab", capacity=1000)
    seen: list[bytes] = [b""] * 3

    def follow(own: int) -> None:
        place = 0
        while place < 600:
            ring.wait(place, 5)
            read = ring.read(place, ALL)
            assert read is not None
            seen[own] += read.piece
            place = read.place

    readers = [threading.Thread(target=follow, args=(own,)) for own in range(3)]
    for reader in readers:
        reader.start()
    for number in range(1, 601, 3):
        publish(ring, number, number + 1, number + 2)
    for reader in readers:
        reader.join(10)
    assert seen == [lines(*range(1, 601))] * 3
