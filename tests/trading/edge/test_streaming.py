"""Streams sent by ASGI: to their end, to a client that goes, that does not read, and to thousands at once."""

import asyncio
import time
import tracemalloc
from collections.abc import Coroutine
from typing import Any

import pytest

from trading.edge import streaming
from trading.edge.request import Message
from trading.edge.streaming import stream_events
from trading.events import stream as stream_module
from trading.events.laps import Laps
from trading.events.query import EventQuery
from trading.events.ring import Event, EventRing
from trading.events.stream import EventStream
from trading.events.topics import ORDER, TYPES

WITHIN_S = 10.0
MANY = 2_000
MOST_BYTES_A_STREAM = 20 << 10
HEADERS = [(b"content-type", b"text/event-stream")]
ALL = EventQuery(frozenset(TYPES), frozenset())


class FakeClient:
    """What an ASGI server is to a stream: it takes what is sent, unless it `may_read` no more, and may go."""

    def __init__(self, ring: EventRing, laps: Laps, query: EventQuery = ALL) -> None:
        self.sent: list[Message] = []
        self.may_read = asyncio.Event()
        self.may_read.set()
        self._gone = asyncio.Event()
        self.is_closed = False
        self.stream = EventStream(ring, query, None, time.monotonic, self._note_close)
        self.task = asyncio.ensure_future(stream_events(self.stream, laps, self._receive, self._send, HEADERS))

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    def go(self) -> None:
        self._gone.set()

    async def sees(self, text: bytes) -> None:
        async with asyncio.timeout(WITHIN_S):
            while text not in self.body:
                await asyncio.sleep(0.005)

    async def ends(self) -> None:
        async with asyncio.timeout(WITHIN_S):
            await self.task
        assert self.is_closed

    def _note_close(self) -> None:
        self.is_closed = True

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        await self.may_read.wait()
        self.sent.append(message)


@pytest.fixture
def ring() -> EventRing:
    ring = EventRing("ab", capacity=1000)
    ring.begin()
    return ring


def publish(ring: EventRing, *numbers: int) -> None:
    ring.publish([Event(ORDER, f'{{"number":{number}}}') for number in numbers])


def run(check: Coroutine[Any, Any, None]) -> None:
    """Run a check, after which nothing of it is left on the loop but the task that wakes streams."""

    async def checked() -> None:
        await check
        await asyncio.sleep(0)
        left = {task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}}
        assert left <= {"events-laps"}

    asyncio.run(checked())


def test_head_and_pieces_are_sent_until_the_ring_is_closed(ring):
    async def check() -> None:
        client = FakeClient(ring, Laps(ring))
        await client.sees(b"event: place")
        publish(ring, 1)
        await client.sees(b'{"number":1}')
        ring.close()
        await client.ends()
        assert client.sent[0] == {"type": "http.response.start", "status": 200, "headers": HEADERS}
        assert client.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}

    run(check())


def test_client_that_goes_ends_its_stream_at_once(ring):
    async def check() -> None:
        laps = Laps(ring)
        idle, stuck = FakeClient(ring, laps), FakeClient(ring, laps)
        for client in (idle, stuck):
            await client.sees(b"event: place")
        stuck.may_read.clear()
        publish(ring, 1)
        await idle.sees(b'{"number":1}')
        idle.go()
        stuck.go()
        await idle.ends()
        await stuck.ends()

    run(check())


def test_client_that_does_not_read_holds_up_nobody_and_is_told_that_it_missed_something(ring):
    async def check() -> None:
        laps = Laps(ring)
        slow, quick = FakeClient(ring, laps), FakeClient(ring, laps)
        await slow.sees(b"event: place")
        slow.may_read.clear()
        for first in range(1, 3001, 100):  # three times what the ring holds
            publish(ring, *range(first, first + 100))
            await quick.sees(b'{"number":%d}' % (first + 99))
        assert b"reset" not in quick.body
        slow.may_read.set()
        await slow.sees(b'event: reset\ndata: {"reason": "overrun"}')
        publish(ring, 3001)
        await slow.sees(b'{"number":3001}')
        assert slow.body.count(b"event: reset") == 1
        ring.close()
        await slow.ends()
        await quick.ends()

    run(check())


def test_stop_does_not_wait_for_a_client_that_does_not_read(ring, monkeypatch):
    monkeypatch.setattr(streaming, "LAST_PIECE_S", 0.05)

    async def check() -> None:
        stuck = FakeClient(ring, Laps(ring))
        await stuck.sees(b"event: place")
        stuck.may_read.clear()
        publish(ring, 1)
        await asyncio.sleep(0)
        ring.close()
        await stuck.ends()

    run(check())


def test_stream_of_an_account_ends_when_it_is_old_whether_its_client_reads_or_not(ring, monkeypatch):
    monkeypatch.setattr(stream_module, "MOST_AGE_S", 0.3)
    monkeypatch.setattr(streaming, "LAST_PIECE_S", 1.0)

    async def check() -> None:
        laps, query = Laps(ring), EventQuery(frozenset(TYPES), frozenset(), "ann")
        reading, stuck = FakeClient(ring, laps, query), FakeClient(ring, laps, query)
        await stuck.sees(b"event: place")
        stuck.may_read.clear()
        publish(ring, 1)
        await reading.ends()
        await stuck.ends()
        assert reading.sent[-1]["more_body"] is False

    run(check())


def test_failure_to_send_is_raised_and_the_stream_is_closed(ring):
    async def check() -> None:
        async def fail(_message: Message) -> None:
            raise OSError("broken")

        async def never() -> dict[str, Any]:
            return await asyncio.get_running_loop().create_future()

        closed = []
        stream = EventStream(ring, ALL, None, time.monotonic, lambda: closed.append(1))
        with pytest.raises(OSError, match="broken"):
            await stream_events(stream, Laps(ring), never, fail, HEADERS)
        assert closed == [1]

    run(check())


def test_two_thousand_streams_share_each_event_and_cost_little_memory(ring):
    async def check() -> None:
        laps = Laps(ring)
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        clients = [FakeClient(ring, laps) for _ in range(MANY)]
        for client in clients:
            await client.sees(b"event: place")
        size = (tracemalloc.get_traced_memory()[0] - before) / MANY
        tracemalloc.stop()
        publish(ring, *range(1, 11))
        for client in clients:
            await client.sees(b'{"number":10}')
        pieces = {
            id(message["body"]) for client in clients for message in client.sent if b"order" in message.get("body", b"")
        }
        print(f"{size / 1024:.1f} KiB a stream; {len(pieces)} pieces made for {MANY} streams")
        assert len(pieces) == 1
        assert size < MOST_BYTES_A_STREAM
        ring.close()
        for client in clients:
            await client.ends()

    run(check())
