"""One loads, the others wait: a value that many want at once is asked for once."""

from typing import Generic, TypeVar

from common.calls.failures import RpcFailure
from common.calls.steps import Steps, Wait
from common.process.latch import Latch

T = TypeVar("T")


class Load(Generic[T]):
    """One load that is under way. Whoever began it must end it, once, whatever comes; any number of others may join.

    Attributes:
        done: set once it has ended.
        outcome: what was loaded, or the failure to load it; None before the end, and if it was given up without either.
    """

    def __init__(self) -> None:
        self.done = Latch()
        self.outcome: T | RpcFailure | None = None  # written once, before `done` is set

    def end(self, outcome: T | RpcFailure | None) -> None:
        """Let those who joined go on, with the value or the failure; None: they must see for themselves."""
        self.outcome = outcome
        self.done.set()

    def join(self, timeout_s: float) -> Steps[T | None]:
        """Wait for the end; return what was loaded, or None if nothing was, or not in time.

        Raises:
            RpcFailure: what the load failed with.
        """
        yield Wait(self.done, timeout_s)
        outcome = self.outcome
        if isinstance(outcome, RpcFailure):
            raise outcome.again()
        return outcome
