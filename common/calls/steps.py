"""Procedures that talk to other processes, written apart from gRPC, threads and clocks.

A *procedure* is a generator: it yields what it wants done (an effect) and is sent the answer. The code reads from top
to bottom like ordinary blocking code, and knows nothing of channels or threads. `Network.run` in network.py performs
the effects with gRPC in the calling thread, `LoopNetwork.run` in loop.py in an event loop; a simulator can perform the
same procedure step by step in one thread, with messages that are lost, late, doubled or reordered.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from google.protobuf.message import Message

from common.calls.failures import RpcFailure
from common.process.latch import Latch

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """One unary RPC. The request's type names the RPC. Answered with the response; raises RpcFailure.

    Attributes:
        request_id: of the REST request that it is made for, "" if for several; None: of the one the thread works for.
    """

    address: str
    request: Message
    timeout_s: float
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Together:
    """Several calls at once, and a local action while they are under way.

    Answered, when all are done, with a list in the order of `calls`: the response or the RpcFailure of each.
    What `meanwhile` raises is raised, after all calls are done.
    """

    calls: Sequence[Call]
    meanwhile: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Guarded:
    """A call to a process that may be dead, and a look at that process beside it, every `after_s` without an answer.

    Answered as the call. Once `is_alive` returns False it fails at once, with NO_ANSWER.
    """

    call: Call
    after_s: float
    is_alive: Callable[[], "Steps[bool]"]


@dataclass(frozen=True, slots=True)
class Pause:
    """Go on after this time."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Go on when another procedure of this process has set the latch, or after this time. Answered: is it set?"""

    latch: Latch
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Start:
    """Have another procedure go its own way beside this one. What it raises is a bug, and is logged."""

    steps: "Steps[None]"


Effect: TypeAlias = Call | Guarded | Together | Pause | Wait | Start
Outcome: TypeAlias = Message | RpcFailure
# The answers are typed where they are received: a generator has one send type for all its yields.
Steps: TypeAlias = Generator[Effect, Any, T]


def run_steps(steps: Steps[T], perform: Callable[[Effect], Any]) -> T:
    """Run a procedure to its end and return its result; `perform` does what it yields. What it raises is raised."""
    try:
        effect = next(steps)
        while True:
            try:
                answer = perform(effect)
            except Exception as failure:  # noqa: BLE001 - handed to the procedure, which raises it again
                effect = steps.throw(failure)
            else:
                effect = steps.send(answer)
    except StopIteration as stop:
        result: T = stop.value
        return result
