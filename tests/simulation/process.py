"""A simulated process: it runs procedures and handlers, one event at a time, and can die and freeze at any of them."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Call, Effect, Guarded, Outcome, Pause, Start, Steps, Together, Wait
from common.process.latch import Latch
from tests.simulation.world import World

if TYPE_CHECKING:
    from tests.simulation.network import Network

Done = Callable[[Any, RpcFailure | None], None]
Respond = Callable[[Outcome], None]

# What a thread needs to go on, at least: without it two procedures could go round each other while no time passes.
LEAST_STEP_S = 0.0001
KEPT_REQUESTS = 16


class ProcessEnded(BaseException):
    """Raised in the code of a process, which ends by it. The scheduler's other processes go on."""


class Killed(ProcessEnded):
    """SIGKILL: nothing more happens in the process; what it gave to the system is kept."""


class Request:
    """A call that has arrived, or will.

    Attributes:
        is_active: whether the caller still waits, as far as the callee knows.
        is_taken: whether the first of its copies found a process; None: none has arrived.
    """

    __slots__ = ("_respond", "is_active", "is_taken", "message", "timeout_s")

    def __init__(self, message: Message, timeout_s: float, respond: Respond) -> None:
        self.message = message
        self.timeout_s = timeout_s
        self.is_active = True
        self.is_taken: bool | None = None
        self._respond = respond

    def respond(self, outcome: Outcome) -> None:
        """Send an answer. (One that arrived twice is answered twice; the caller takes the first.)"""
        self.is_active = False
        self._respond(outcome)

    def cancel(self) -> None:
        """The caller has given up, and the callee has heard of it."""
        self.is_active = False


class Process:
    """Something with an address that can die, freeze and be started again. Subclasses give it a handler.

    Attributes:
        is_alive: whether it runs, frozen or not.
        life: which of its lives this is, or was the last.
        killed_in: after how many more events in it, it is killed; None: it is not.
        on_end: told how it ended, when it ends by itself or by a fault within.
    """

    def __init__(self, world: World, network: "Network", address: str) -> None:
        self.world = world
        self.network = network
        self.address = address
        self.is_alive = False
        self.killed_in: int | None = None
        self.on_end: Callable[[Process, ProcessEnded], None] = lambda _process, ended: self._raise(ended)
        self.life = 0
        self._frozen_until = 0.0
        self._stalled_until = 0.0
        self._requests: list[Request] = []  # that have arrived in this life
        self._waiting: list[tuple[Latch, Callable[[bool], None]]] = []
        world.processes[address] = self

    @property
    def name(self) -> str:
        """The address without its port."""
        return self.address.partition(":")[0]

    def handle(self, request: Request) -> None:
        """Do what a message asks for; in subclasses that are asked anything."""
        raise AssertionError(f"{self.address} is asked nothing: {request.message}")

    # -- Life ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it, with nothing in its memory."""
        self.come_alive()

    def come_alive(self) -> None:
        """Begin a new life."""
        self.is_alive = True
        self.life += 1

    def die(self, *, silently: bool = False) -> None:
        """End this life: what it had still to do is not done. Its callers see the connection end, unless `silently`."""
        self.is_alive = False
        self.killed_in = None
        self.life += 1
        self._frozen_until = self._stalled_until = 0.0
        self._waiting.clear()
        requests, self._requests = self._requests, []
        if not silently:
            for request in requests:
                if request.is_active:
                    request.respond(RpcFailure(Reason.UNREACHABLE, f"{self.address}: connection reset"))

    def freeze(self, seconds: float) -> None:
        """Do nothing for so long, from now on; 0: wake up."""
        self._frozen_until = self.world.now + seconds

    def stall(self, seconds: float) -> None:
        """Do only what needs no disk for so long, from now on; 0: the disk answers again."""
        self._stalled_until = self.world.now + seconds

    def needs_disk(self, _message: Message) -> bool:
        """Whether a message waits while the disk hangs."""
        return True

    # -- Work ------------------------------------------------------------------------------------------------------

    def take_in(self, request: Request) -> None:
        """Handle a request that has arrived, as soon as possible."""
        if len(self._requests) > KEPT_REQUESTS:
            self._requests = [one for one in self._requests if one.is_active]
        self._requests.append(request)
        self.later(0.0, lambda: self.handle(request), needs_disk=self.needs_disk(request.message))

    def later(self, delay_s: float, action: Callable[[], None], *, needs_disk: bool = True) -> None:
        """Do something in this life; not while it is frozen, nor, if that is needed, while the disk hangs."""
        life = self.life
        world = self.world

        def run() -> None:
            if self.life != life:
                return
            now = world.now
            if now < self._frozen_until or (needs_disk and now < self._stalled_until):
                world.at(max(self._frozen_until, self._stalled_until if needs_disk else 0.0) - now, run)
            else:
                self.act(action)

        if delay_s == 0.0 and world.acted is None:
            run()  # nothing else runs at this moment
        else:
            world.at(delay_s, run)

    def act(self, action: Callable[[], None]) -> None:
        """Run code of this process now; it may end by it."""
        self.world.acted = self
        try:
            if self.killed_in is not None:
                self.killed_in -= 1
                if self.killed_in < 0:
                    raise Killed("between two steps")
            action()
            if self._waiting:
                self._wake()
        except ProcessEnded as ended:
            self.on_end(self, ended)

    def respond(self, request: Request, outcome: Outcome) -> None:
        """Answer a request; behind the disk, if that hangs and the request needed it."""
        if self.world.now < self._stalled_until and self.needs_disk(request.message):
            self.later(LEAST_STEP_S, lambda: request.respond(outcome))
        else:
            request.respond(outcome)

    def spawn(self, steps: Steps[Any], done: Done = lambda result, failure: None) -> None:
        """Run a procedure; `done` gets its result or the RpcFailure that it raised."""

        def advance(answer: Any) -> None:
            try:
                effect = steps.throw(answer) if isinstance(answer, RpcFailure) else steps.send(answer)
            except StopIteration as stop:
                done(stop.value, None)
            except RpcFailure as failure:
                done(None, failure)
            else:
                if self.world.now < self._stalled_until:
                    self.later(LEAST_STEP_S, lambda: self._perform(effect, advance))
                else:
                    self._perform(effect, advance)

        advance(None)

    def _perform(self, effect: Effect, answer: Callable[[Any], None]) -> None:
        if isinstance(effect, Call):
            self.network.send(self, effect, answer)
        elif isinstance(effect, Guarded):
            self._perform_guarded(effect, answer)
        elif isinstance(effect, Pause):
            self.later(max(effect.seconds, LEAST_STEP_S), lambda: answer(None))
        elif isinstance(effect, Wait):
            self._wait(effect, answer)
        elif isinstance(effect, Start):
            self.later(LEAST_STEP_S, lambda: self.spawn(effect.steps))
            answer(None)
        else:
            self._perform_together(effect, answer)

    def _perform_guarded(self, effect: Guarded, answer: Callable[[Any], None]) -> None:
        is_over = False

        def end(outcome: Outcome) -> None:
            nonlocal is_over
            if not is_over:
                is_over = True
                answer(outcome)

        def look() -> None:
            if not is_over:
                self.spawn(effect.is_alive(), seen)

        def seen(is_alive: bool, _failure: RpcFailure | None) -> None:
            if not is_alive:
                end(RpcFailure(Reason.NO_ANSWER, f"{effect.call.address}: no answer in time"))
            elif not is_over:
                self.later(effect.after_s, look)

        self.network.send(self, effect.call, end)
        self.later(effect.after_s, look)

    def _wait(self, effect: Wait, answer: Callable[[Any], None]) -> None:
        entry = (effect.latch, answer)

        def time_is_up() -> None:
            if entry in self._waiting:
                self._waiting.remove(entry)
                answer(effect.latch.is_set())

        self._waiting.append(entry)
        self.later(max(effect.timeout_s, LEAST_STEP_S), time_is_up)

    def _wake(self) -> None:
        """Let those go on whose latch has been set."""
        for entry in [one for one in self._waiting if one[0].is_set()]:
            self._waiting.remove(entry)
            self.later(LEAST_STEP_S, partial(entry[1], True))

    def _perform_together(self, effect: Together, answer: Callable[[Any], None]) -> None:
        outcomes: list[Outcome | None] = [None] * len(effect.calls)
        left = len(effect.calls)
        raised: RpcFailure | None = None

        def take(place: int, outcome: Outcome) -> None:
            nonlocal left
            outcomes[place] = outcome
            left -= 1
            if not left:
                finish()

        def finish() -> None:
            answer(raised if raised is not None else list(outcomes))

        for place, call in enumerate(effect.calls):
            self.network.send(self, call, partial(take, place))
        if effect.meanwhile is not None:
            try:
                effect.meanwhile()
            except RpcFailure as failure:
                raised = failure
        if not effect.calls:
            self.later(LEAST_STEP_S, finish)

    @staticmethod
    def _raise(ended: ProcessEnded) -> None:
        raise ended
