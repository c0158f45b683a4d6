"""How streams on an event loop wait: one task wakes them, in laps, and looks only at what they ask for together.

Whatever streams do on the loop, they do in turns that this task gives. So thousands of them, also those that have much
to catch up with, leave most of the loop to others.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from trading.events.ring import EventRing
from trading.events.stream import EventStream
from trading.events.topics import Topics

AT_ONCE = 16  # streams that have their turn before others have theirs on the loop
# After each of these the loop is left to others for so many times as long as they took, and in a whole lap this much at
# most: a few streams get an event at once, and thousands within some 0.2 s.
REST = 2.0
MOST_REST_S = 0.15
LEAST_REST_S = 0.002  # less is not worth a timer: it is owed until it is
SWEEP_S = 0.5  # how often streams are asked whether it is time for something

log = structlog.get_logger()


class Laps:
    """Wakes the streams of one ring that wait on an event loop.

    A publish costs one call into the loop, and a lap one look at each set of topics that is waited for; a stream costs
    more only if it wants something of what was published, or is behind.

    All belongs to the loop's thread; it may be another loop once the first is closed.
    """

    def __init__(self, ring: EventRing) -> None:
        self._ring = ring
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._waiting: dict[Topics, dict[EventStream, asyncio.Future[int]]] = {}
        self._behind: list[asyncio.Future[int]] = []  # of streams that need not wait for anything but their turn
        ring.listen(self._hear)

    async def wait(self, stream: EventStream) -> None:
        """Return when it is the stream's turn: there may be something for it to take, or it has ended.

        Raises:
            RuntimeError: the task that wakes the streams has failed.
        """
        loop = asyncio.get_running_loop()
        if self._loop is not loop or self._task is None or self._task.done():
            self._start()
        if stream.has_ended:
            return
        if stream.has_news:
            turn: asyncio.Future[int] = loop.create_future()
            self._behind.append(turn)
            self._news.set()
            await turn
            return
        future: asyncio.Future[int] = loop.create_future()
        group = self._waiting.setdefault(stream.topics, {})
        group[stream] = future
        try:
            stream.pass_over(await future)
        finally:
            group.pop(stream, None)
            if not group and self._waiting.get(stream.topics) is group:
                del self._waiting[stream.topics]

    def closed(self) -> asyncio.Future[None]:
        """Return what is done once the ring is closed; the same for all streams of a loop."""
        self._start()
        return self._closed

    def _start(self) -> None:
        """Have the task run on this loop."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._waiting = {}
            self._behind = []
            self._news = asyncio.Event()
            self._closed = loop.create_future()
            self._loop = loop
        elif self._closed.done() or (self._task is not None and not self._task.done()):
            return
        self._edge = self._ring.last  # what is published from here on is heard of
        self._has_begun = self._ring.has_begun
        self._task = loop.create_task(self._run(), name="events-laps")

    def _hear(self) -> None:
        """Be told by any thread that there is something new."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits there
                self._loop.call_soon_threadsafe(self._news.set)

    async def _run(self) -> None:
        try:
            sweep_at = time.monotonic() + SWEEP_S
            while not self._ring.is_closed:
                await self._news_until(sweep_at)
                await self._lap()
                if time.monotonic() >= sweep_at:
                    await self._give_turns(self._futures(lambda stream: stream.is_due), self._edge)
                    sweep_at = time.monotonic() + SWEEP_S
            self._closed.set_result(None)
            await self._give_turns(self._behind + self._futures(), self._edge)
        except Exception as failure:
            log.exception("waking the streams failed")
            for future in self._behind + self._futures():
                future.set_exception(RuntimeError(f"nobody wakes this stream any more: {failure}"))

    async def _news_until(self, moment: float) -> None:
        """Wait for news, until this moment of the monotonic clock at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(moment - time.monotonic()):
                await self._news.wait()
        self._news.clear()

    async def _lap(self) -> None:
        """Give a turn to all who are behind or want something of what was published since the last lap."""
        start, self._edge = self._edge, self._ring.last
        about = self._ring.open_window(start, self._edge)
        has_begun, self._has_begun = self._has_begun, self._ring.has_begun
        if about is None or self._has_begun != has_begun:
            wanting = self._futures()
        else:
            groups = [group for topics, group in self._waiting.items() if not topics.isdisjoint(about)]
            # One that had its turn late in the last lap has read beyond the lap's end.
            wanting = [future for group in groups for stream, future in group.items() if stream.has_news]
        behind, self._behind = self._behind, []
        await self._give_turns(behind + wanting, start)

    async def _give_turns(self, futures: list[asyncio.Future[int]], place: int) -> None:
        """Have those who wait go on behind this place, some at a time; others have most of the loop between."""
        most_s = MOST_REST_S * AT_ONCE / max(AT_ONCE, len(futures))
        owed_s = 0.0
        read_to = self._edge
        for first in range(0, len(futures), AT_ONCE):
            began = time.monotonic()
            if self._ring.last != read_to:  # what was published since the lap began goes with it
                read_to = self._ring.last
                self._ring.open_window(place, read_to)
            for future in futures[first : first + AT_ONCE]:
                if not future.done():  # else its client has gone meanwhile
                    future.set_result(place)
            await asyncio.sleep(0)  # they have their turns
            owed_s += min(most_s, REST * (time.monotonic() - began))
            if owed_s > LEAST_REST_S:
                rested = time.monotonic()
                await asyncio.sleep(owed_s)
                owed_s -= time.monotonic() - rested  # a timer is late, by a good part of so short a time

    def _futures(self, is_meant: Callable[[EventStream], bool] = lambda _stream: True) -> list[asyncio.Future[int]]:
        return [future for group in self._waiting.values() for stream, future in group.items() if is_meant(stream)]
