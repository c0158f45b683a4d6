"""The performer of procedures in an event loop: any number of them in its one thread."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import structlog

from common.calls.failures import RpcFailure
from common.calls.loop_calls import LoopCalls
from common.calls.steps import Call, Effect, Guarded, Outcome, Pause, Start, Steps, Together, Wait
from common.process.tls import Tls

T = TypeVar("T")

log = structlog.get_logger()


class LoopNetwork:
    """Performs procedures, and holds no thread while they wait.

    Its methods are for the loop's thread alone, all of them in one loop. A procedure that is cancelled is closed where
    it waits, and the calls that it waits for are cancelled.
    """

    def __init__(self, tls: Tls | None = None) -> None:
        """Encrypt all calls with `tls`; None: none of them."""
        self._calls = LoopCalls(tls)
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

    async def close(self) -> None:
        """Close all connections for good; what is under way is cancelled."""
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        await self._calls.close()

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
            case Call():
                return await self._calls.call(effect)
            case Guarded():
                return await self._guarded(effect)
            case Together():
                return await self._together(effect)

    async def _guarded(self, effect: Guarded) -> Any:
        stream = self._calls.take(effect.call.address)
        watch = _Watch(self, effect, stream.give_up)
        try:
            return await self._calls.carry(effect.call, stream)
        finally:
            watch.end()

    async def _together(self, effect: Together) -> list[Outcome]:
        work = [self._calls.call(call) for call in effect.calls]
        if effect.meanwhile is not None:
            work.append(asyncio.to_thread(effect.meanwhile))
        outcomes: list[Any] = await asyncio.gather(*work, return_exceptions=True)
        if effect.meanwhile is not None and isinstance(failure := outcomes.pop(), BaseException):
            raise failure
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, RpcFailure):
                raise outcome
        return outcomes

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


class _Watch:
    """A look at a process beside a call to it: see Guarded."""

    def __init__(self, network: LoopNetwork, effect: Guarded, give_up: Callable[[], None]) -> None:
        """Begin. `give_up` is called once the process is found dead."""
        self._network = network
        self._effect = effect
        self._give_up = give_up
        self._loop = asyncio.get_running_loop()
        self._looking: asyncio.Task[None] | None = None
        self._look_later()

    def end(self) -> None:
        """The call is over: nothing is given up any more."""
        self._timer.cancel()
        if self._looking is not None:
            self._looking.cancel()

    def _look_later(self) -> None:
        self._timer = self._loop.call_later(self._effect.after_s, self._begin)

    def _begin(self) -> None:
        self._looking = self._loop.create_task(self._look())

    async def _look(self) -> None:
        try:
            is_alive = await self._network.run(self._effect.is_alive())
        except Exception:
            log.exception("the look beside a call failed")  # the call ends by its own time-out
            return
        if is_alive:
            self._look_later()
        else:
            self._give_up()


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
