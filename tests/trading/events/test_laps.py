"""Waiting on an event loop: who is woken, and what it costs those who are not."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from tests.trading.fake_network import FakeClock
from trading.events import laps as laps_module
from trading.events.laps import Laps
from trading.events.query import EventQuery
from trading.events.ring import Event, EventRing
from trading.events.stream import COMMENT_S, MOST_AGE_S, EventStream
from trading.events.topics import LEADER, ORDER, STOCK, TYPES

WITHIN_S = 5.0
ALL = EventQuery(frozenset(TYPES), frozenset())
LEADERS = EventQuery(frozenset({LEADER}), frozenset())


@pytest.fixture(autouse=True)
def quick_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laps_module, "SWEEP_S", 0.02)


@pytest.fixture
def ring() -> EventRing:
    ring = EventRing("ab", capacity=100)
    ring.begin()
    return ring


def opened(ring: EventRing, query: EventQuery = ALL, clock: Callable[[], float] = time.monotonic) -> EventStream:
    """A stream that has told its place."""
    stream = EventStream(ring, query, None, clock, lambda: None)
    assert b"place" in stream.take()
    return stream


def publish(ring: EventRing, *numbers: int) -> None:
    ring.publish([Event(ORDER, str(number)) for number in numbers])


async def within(awaitable: Awaitable[object]) -> None:
    await asyncio.wait_for(awaitable, WITHIN_S)


def test_waiting_streams_are_woken_by_a_thread_that_publishes(ring):
    async def check() -> None:
        laps, streams = Laps(ring), [opened(ring), opened(ring)]
        waiting = asyncio.gather(*(laps.wait(stream) for stream in streams))
        await asyncio.to_thread(publish, ring, 1, 2)
        await within(waiting)
        assert [stream.take().count(b"event: order") for stream in streams] == [2, 2]

    asyncio.run(check())


def test_what_is_published_before_the_wait_is_not_waited_for(ring):
    async def check() -> None:
        laps, stream = Laps(ring), opened(ring)
        publish(ring, 1)
        await within(laps.wait(stream))
        assert b"ab-1" in stream.take()

    asyncio.run(check())


def test_stream_that_wants_nothing_of_it_sleeps_on_and_is_never_overtaken(ring):
    async def check() -> None:
        laps, sleeper, awake = Laps(ring), opened(ring, LEADERS, FakeClock()), opened(ring)
        sleeping = asyncio.ensure_future(laps.wait(sleeper))
        told = b""
        for first in range(1, 401, 20):  # four times what the ring holds
            publish(ring, *range(first, first + 20))
            await within(laps.wait(awake))
            awake.take()
            if sleeping.done():
                told += sleeper.take()
                sleeping = asyncio.ensure_future(laps.wait(sleeper))
        assert b"event: place" in told  # a client that comes back finds it
        assert b"reset" not in told
        ring.publish([Event(LEADER, "{}")])
        await within(sleeping)
        assert b"event: leader" in sleeper.take()

    asyncio.run(check())


def test_a_publish_costs_one_call_into_the_loop_however_many_wait(ring, monkeypatch):
    async def check() -> None:
        loop = asyncio.get_running_loop()
        calls, real = itertools.count(), loop.call_soon_threadsafe
        monkeypatch.setattr(loop, "call_soon_threadsafe", lambda *call, **more: (next(calls), real(*call, **more))[1])
        laps, streams = Laps(ring), [opened(ring) for _ in range(200)]
        waiting = asyncio.gather(*(laps.wait(stream) for stream in streams))
        await asyncio.sleep(0)
        publish(ring, 1)
        await within(waiting)
        assert next(calls) == 1

    asyncio.run(check())


def test_stream_is_woken_when_it_is_time_for_a_comment_and_when_it_is_too_old(ring):
    async def check() -> None:
        clock = FakeClock()
        laps, stream = Laps(ring), opened(ring, EventQuery(frozenset({STOCK}), frozenset(), "ann"), clock)
        waiting = asyncio.ensure_future(laps.wait(stream))
        await asyncio.sleep(0)
        clock.now += COMMENT_S
        await within(waiting)
        assert stream.take() == b":\n"
        waiting = asyncio.ensure_future(laps.wait(stream))
        await asyncio.sleep(0)
        clock.now += MOST_AGE_S
        await within(waiting)
        assert stream.has_ended

    asyncio.run(check())


def test_streams_are_woken_at_the_beginning_and_at_the_end():
    async def check() -> None:
        ring = EventRing("ab")
        laps, stream = Laps(ring), EventStream(ring, ALL, None, FakeClock(), lambda: None)
        waiting = asyncio.ensure_future(laps.wait(stream))
        await asyncio.to_thread(ring.begin)
        await within(waiting)
        assert b"place" in stream.take()
        waiting, closed = asyncio.ensure_future(laps.wait(stream)), laps.closed()
        assert not closed.done()
        await asyncio.to_thread(ring.close)
        await within(waiting)
        await within(closed)
        assert stream.has_ended
        await within(laps.wait(stream))
        assert laps.closed() is closed

    asyncio.run(check())


def test_stream_whose_client_has_gone_leaves_nothing_behind(ring):
    async def check() -> None:
        laps = Laps(ring)
        gone, other = opened(ring), opened(ring)
        waiting = [asyncio.ensure_future(laps.wait(stream)) for stream in (gone, other)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        publish(ring, 1)
        await within(waiting[1])
        assert waiting[0].cancelled()
        assert laps._waiting == {}

    asyncio.run(check())


def test_failure_of_the_task_that_wakes_them_reaches_every_stream_and_the_next_wait_begins_anew(ring, monkeypatch):
    async def check() -> None:
        laps, stream = Laps(ring), opened(ring)
        monkeypatch.setattr(ring, "open_window", lambda *_window: 1 / 0)
        waiting = asyncio.ensure_future(laps.wait(stream))
        await asyncio.sleep(0)
        publish(ring, 1)
        with pytest.raises(RuntimeError, match="division by zero"):
            await within(waiting)
        monkeypatch.undo()
        stream.take()
        waiting = asyncio.ensure_future(laps.wait(stream))
        await asyncio.sleep(0)
        publish(ring, 2)
        await within(waiting)

    asyncio.run(check())


def test_another_loop_may_follow(ring):
    laps, stream = Laps(ring), opened(ring)
    for number in range(2):

        async def check(number: int = number) -> None:
            waiting = asyncio.ensure_future(laps.wait(stream))
            await asyncio.sleep(0)
            publish(ring, number)
            await within(waiting)
            stream.take()

        asyncio.run(check())
        publish(ring, number)  # while there is no loop
        stream.take()


def test_streams_that_are_behind_have_their_turns_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr(laps_module, "AT_ONCE", 4)
    ring = EventRing("ab", capacity=1000)
    ring.begin()

    async def check() -> None:
        laps, streams = Laps(ring), [opened(ring) for _ in range(40)]
        turns_of_others = 0
        turns: list[int] = []

        async def do_something_else() -> None:
            nonlocal turns_of_others
            while len(turns) < len(streams):
                await asyncio.sleep(0)
                turns_of_others += 1

        async def catch_up(stream: EventStream) -> None:
            await laps.wait(stream)
            turns.append(turns_of_others)

        publish(ring, *range(1, 501))
        await within(asyncio.gather(do_something_else(), *(catch_up(stream) for stream in streams)))
        assert max(Counter(turns).values()) <= 4

    asyncio.run(check())
