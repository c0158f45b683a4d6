"""The performer of procedures in an event loop: any number of them in its one thread."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

import structlog

from common.calls.network import Network
from common.calls.steps import Call, Effect, Guarded, Pause, Start, Steps, Wait

T = TypeVar("T")
# For what is waited for in a thread: calls on streams, of which few are under way at once, and polls.
THREAD_COUNT = 32

log = structlog.get_logger()


class LoopNetwork:
    """Performs procedures with a Network's calls, and waits for none of them in the loop's thread.

    Its methods are for the loop's thread alone, all of them in one loop. A procedure that is cancelled is closed where
    it waits; a call that it has begun goes on, and nobody hears of its answer.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._threads = ThreadPoolExecutor(THREAD_COUNT, thread_name_prefix="loop-call")
        self._beside: set[asyncio.Task[None]] = set()  # the loop itself would forget them

    async def run(self, steps: Steps[T]) -> T:
        """Perform a procedure and return its result; what it raises is raised."""
        try:
            effect = next(steps)
            while True:
                try:
                    answer = await self._perform(effect)
                except Exception as failure:  # noqa: BLE001 - handed to the procedure, which raises it again
                    effect = steps.throw(failure)
                else:
                    effect = steps.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            steps.close()

    async def _perform(self, effect: Effect) -> Any:
        match effect:
            case Wait():
                return await self._wait(effect)
            case Pause():
                return await asyncio.sleep(effect.seconds)
            case Start():
                task = asyncio.create_task(self._run_beside(effect.steps))
                self._beside.add(task)
                task.add_done_callback(self._beside.discard)
                return None
            case Call() if self._network.can_begin(effect):
                return await self._call(effect)
            case Guarded():
                # It is on its way before the thread that waits for it is awake.
                return await self._in_thread(self._network.begin_guarded(effect))
            case _:
                return await self._in_thread(self._network.perform, effect)

    async def _in_thread(self, perform: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, perform, *arguments)

    async def _call(self, call: Call) -> Any:
        answered = _Woken()
        finish = self._network.begin_unary(call, answered.wake)
        await answered.future
        return finish()

    async def _wait(self, effect: Wait) -> bool:
        latch = effect.latch
        if latch.is_set():
            return True
        woken = _Woken()
        latch.call_when_set(woken.wake)
        timer = woken.loop.call_later(effect.timeout_s, woken.resolve)
        try:
            await woken.future
        finally:
            timer.cancel()
            latch.forget(woken.wake)
        return latch.is_set()

    async def _run_beside(self, steps: Steps[None]) -> None:
        try:
            await self.run(steps)
        except Exception:
            log.exception("a procedure ended by an error of its own")


class _Woken:
    """A future of the running loop that any thread may resolve, more than once."""

    __slots__ = ("_thread", "future", "loop")

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = self.loop.create_future()
        self._thread = threading.get_ident()

    def wake(self) -> None:
        """Let the waiting coroutine go on. Any thread may call it."""
        if threading.get_ident() == self._thread:
            self.resolve()
        else:
            self.loop.call_soon_threadsafe(self.resolve)

    def resolve(self) -> None:
        """Let the waiting coroutine go on. In the loop's thread."""
        if not self.future.done():
            self.future.set_result(None)
