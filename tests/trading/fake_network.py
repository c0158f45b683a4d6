"""Calls between processes in one thread, without sockets, on a clock that moves only when told."""

from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.message import Message

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Call, Guarded, Pause, Start, Together, Wait, run_steps

MOST_EFFECTS = 20_000  # of all procedures of one test: more, and one of them goes on for ever


class FakeClock:
    """A monotonic clock that moves only when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class FakeNetwork:
    """Performs procedures against handlers by address. A frozen process costs the caller its time-out; a dead one none.

    `before` is called with each call before it is performed: a test changes the world there.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.handlers: dict[str, Callable[[Message], Any]] = {}
        self.dead: set[str] = set()
        self.frozen: set[str] = set()
        self.calls: list[tuple[str, Message]] = []
        self._effects = 0
        self.before: Callable[[str, Message], None] = lambda _address, _request: None

    def call(self, address: str, request: Message, timeout_s: float) -> Any:
        outcome = self._outcome(address, request)
        if isinstance(outcome, RpcFailure):
            if outcome.reason is Reason.NO_ANSWER:
                self.clock.now += timeout_s
            raise outcome
        return outcome

    def stream(self, address: str, request: Message, timeout_s: float) -> Iterator[Any]:
        yield from self.call(address, request, timeout_s)

    def run(self, steps: Any) -> Any:
        return run_steps(steps, self._perform)

    def sent(self, kind: type[Message]) -> list[tuple[str, Any]]:
        """The calls of one RPC so far: address and request."""
        return [(address, request) for address, request in self.calls if isinstance(request, kind)]

    def _perform(self, effect: Any) -> Any:
        self._effects += 1
        assert self._effects < MOST_EFFECTS, "a procedure goes on for ever"
        match effect:
            case Call():
                return self.call(effect.address, effect.request, effect.timeout_s)
            case Guarded():
                return self._guarded(effect)
            case Together():
                outcomes = [self._outcome(call.address, call.request) for call in effect.calls]
                lost = [
                    call.timeout_s
                    for call, outcome in zip(effect.calls, outcomes, strict=True)
                    if isinstance(outcome, RpcFailure) and outcome.reason is Reason.NO_ANSWER
                ]
                self.clock.now += max(lost, default=0.0)
                return outcomes
            case Pause():
                self.clock.now += effect.seconds
                return None
            case Start():
                return self.run(effect.steps)  # at once, and to its end
            case Wait():
                return effect.latch.wait(effect.timeout_s)

    def _guarded(self, effect: Guarded) -> Any:
        call, until = effect.call, self.clock.now + effect.call.timeout_s
        outcome = self._outcome(call.address, call.request)
        if call.address in self.frozen:
            is_alive = True
            while is_alive and self.clock.now + effect.after_s < until:
                self.clock.now += effect.after_s
                is_alive = self.run(effect.is_alive())
            self.clock.now = until if is_alive else self.clock.now
        if isinstance(outcome, RpcFailure):
            raise outcome
        return outcome

    def _outcome(self, address: str, request: Message) -> Any:
        self.before(address, request)
        self.calls.append((address, request))
        if address in self.dead:
            return RpcFailure(Reason.UNREACHABLE, f"{address}: failed to connect: Connection refused")
        if address in self.frozen:
            return RpcFailure(Reason.NO_ANSWER, f"{address}: Deadline Exceeded")
        try:
            return self.handlers[address](request)
        except RpcFailure as failure:
            return failure


def refusal(reason: Reason, **metadata: object) -> RpcFailure:
    """What a process of ours answers."""
    return RpcFailure(reason, f"refused: {reason.name}", metadata=metadata)
