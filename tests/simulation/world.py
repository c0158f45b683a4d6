"""A seeded scheduler in one thread: a clock that jumps, a lossy and slow network, processes that die and freeze."""

import heapq
import itertools
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from google.protobuf.message import Message

from common.failures import NO_ANSWER, UNREACHABLE, RpcFailure
from common.steps import Call, Effect, Outcome, Pause, Steps, Together

Done = Callable[[Any, Exception | None], None]
Respond = Callable[[Outcome], None]


class World:
    """Events in the order of their time; the same seed gives the same run."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = 1000.0
        self.processes: dict[str, Process] = {}  # by address
        self.cut: set[frozenset[str]] = set()  # pairs of addresses between which nothing passes
        self.loss = 0.0  # part of the messages that are lost
        self.longest_delay_s = 0.002
        self.steps = 0
        self.trace: deque[str] = deque(maxlen=80)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def clock(self) -> float:
        return self.now

    def note(self, text: str) -> None:
        """Keep a line for the trace of a violation."""
        self.trace.append(f"{self.now - 1000:9.4f}  {text}")

    def at(self, delay_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + delay_s, next(self._count), action))

    def run(self, seconds: float, after_each: Callable[[], None]) -> None:
        """Let the time pass; `after_each` is called behind every event."""
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            self.now, _, action = heapq.heappop(self._events)
            self.steps += 1
            action()
            after_each()
        self.now = end

    def send(self, source: "Process", call: Call, reply: Respond) -> None:
        """Carry a request to its address and one answer, or the lack of one, back to the source."""
        is_answered = False

        def answer(outcome: Outcome) -> None:
            nonlocal is_answered
            if not is_answered:
                is_answered = True
                source.later(0, lambda: reply(outcome))

        self.at(call.timeout_s, lambda: answer(RpcFailure(f"{call.address}: no answer in time", reason=NO_ANSWER)))
        deadline = self.now + call.timeout_s
        request = type(call.request).FromString(call.request.SerializeToString())
        self._carry(
            source.address,
            call.address,
            lambda: self._arrive(call.address, request, deadline, lambda out: self._back(source, call, out, answer)),
        )

    def _back(self, source: "Process", call: Call, outcome: Outcome, answer: Respond) -> None:
        self._carry(call.address, source.address, lambda: answer(outcome))

    def _arrive(self, address: str, request: Message, deadline: float, respond: Respond) -> None:
        target = self.processes[address]
        if not target.is_alive:
            respond(RpcFailure(f"{address}: connection refused", reason=UNREACHABLE))
        else:
            target.later(0, lambda: target.receive(request, deadline, respond))

    def _carry(self, source: str, target: str, deliver: Callable[[], None]) -> None:
        if frozenset((source, target)) in self.cut or self.random.random() < self.loss:
            return
        # Mostly quick, now and then much later than anybody waits for it.
        is_late = self.random.random() < self.loss
        delay = self.random.uniform(0.5, 5.0) if is_late else self.random.uniform(0.0002, self.longest_delay_s)
        self.at(delay, deliver)


class Process:
    """Something with an address that can die, freeze and be started again. Subclasses give it a handler."""

    def __init__(self, world: World, address: str) -> None:
        self.world = world
        self.address = address
        self.is_alive = False
        self._life = 0
        self._frozen_until = 0.0
        world.processes[address] = self

    def receive(self, request: Message, deadline: float, respond: Respond) -> None:
        raise AssertionError(f"{self.address} is asked nothing: {request}, {deadline}, {respond}")

    def come_alive(self) -> None:
        self.is_alive = True
        self._life += 1

    def die(self) -> None:
        """Everything that this life had still to do is not done."""
        self.is_alive = False
        self._life += 1
        self._frozen_until = 0.0

    def freeze(self, seconds: float) -> None:
        self._frozen_until = self.world.now + seconds

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do something in this life; not while it is frozen."""
        life = self._life

        def run() -> None:
            if not self.is_alive or self._life != life:
                return
            if self.world.now < self._frozen_until:
                self.world.at(self._frozen_until - self.world.now, run)
                return
            action()

        self.world.at(delay_s, run)

    def spawn(self, steps: Steps[Any], done: Done = lambda result, failure: None) -> None:
        """Run a procedure; `done` gets its result or the RpcFailure that it raised."""
        self._advance(steps, done, lambda: steps.send(None))

    def _advance(self, steps: Steps[Any], done: Done, go_on: Callable[[], Effect]) -> None:
        try:
            effect = go_on()
        except StopIteration as stop:
            done(stop.value, None)
            return
        except RpcFailure as failure:
            done(None, failure)
            return
        self._perform(effect, lambda answer: self._advance(steps, done, lambda: resume(steps, answer)))

    def _perform(self, effect: Effect, answer: Callable[[Any], None]) -> None:
        match effect:
            case Call():
                self.world.send(self, effect, answer)
            case Pause():
                self.later(max(effect.seconds, 0.0001), lambda: answer(None))
            case Together():
                self._perform_together(effect, answer)

    def _perform_together(self, effect: Together, answer: Callable[[Any], None]) -> None:
        outcomes: list[Outcome | None] = [None] * len(effect.calls)
        left = len(effect.calls)
        raised: RpcFailure | None = None

        def finish() -> None:
            answer(raised if raised is not None else list(outcomes))

        def take(place: int, outcome: Outcome) -> None:
            nonlocal left
            outcomes[place] = outcome
            left -= 1
            if not left:
                finish()

        for place, call in enumerate(effect.calls):
            self.world.send(self, call, lambda outcome, place=place: take(place, outcome))  # type: ignore[misc]
        if effect.meanwhile is not None:
            try:
                effect.meanwhile()
            except RpcFailure as failure:
                raised = failure
        if not effect.calls:
            self.later(0, finish)


def resume(steps: Steps[Any], answer: Any) -> Effect:
    """Hand a procedure its answer; a failure is raised in it."""
    return steps.throw(answer) if isinstance(answer, RpcFailure) else steps.send(answer)
