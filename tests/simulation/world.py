"""A seeded scheduler in one thread: a clock that jumps from event to event."""

import heapq
import itertools
from collections import Counter, deque
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.process import Process

EPOCH_S = 1000.0
KEPT_NOTES = 80


class World:
    """Events in the order of their time; the same seed gives the same run.

    Attributes:
        random: the one source of chance of the run.
        now: the time in seconds, the monotonic clock of all processes.
        processes: every process by its address.
        steps: how many events have happened.
        faults: how many faults of each kind have happened.
        is_verbose: whether each message is noted in the trace, and all of the trace is kept.
        acted: the process in which the last event happened, None if it was in none.
    """

    def __init__(self, seed: int, *, is_verbose: bool = False) -> None:
        self.random = Random(seed)
        self.now = EPOCH_S
        self.processes: dict[str, Process] = {}
        self.steps = 0
        self.faults: Counter[str] = Counter()
        self.is_verbose = is_verbose
        self.trace: deque[str] = deque(maxlen=None if is_verbose else KEPT_NOTES)
        self.acted: Process | None = None
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    @property
    def passed_s(self) -> float:
        """The time that has passed since the run began."""
        return self.now - EPOCH_S

    def clock(self) -> float:
        """Return the time; for those who take a clock."""
        return self.now

    def note(self, text: str) -> None:
        """Keep a line for the trace of a violation."""
        self.trace.append(f"{self.now - EPOCH_S:9.4f}  {text}")

    def fault(self, kind: str, details: str) -> None:
        """Count and note a fault."""
        self.faults[kind] += 1
        self.note(f"{kind}: {details}")

    def at(self, delay_s: float, action: Callable[[], None]) -> None:
        """Let something happen after this time, at least 0."""
        assert delay_s >= 0.0, delay_s
        heapq.heappush(self._events, (self.now + delay_s, next(self._count), action))

    def run(self, seconds: float, check: "Callable[[Process], None]") -> None:
        """Let the time pass; `check` is called behind every event in a process."""
        end = self.now + seconds
        events = self._events
        while events and events[0][0] <= end:
            self.now, _, action = heapq.heappop(events)
            self.steps += 1
            action()
            if self.acted is not None:
                acted, self.acted = self.acted, None
                check(acted)
        self.now = end
