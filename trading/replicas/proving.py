"""How long a replica must have been in sync before the health loop makes it the leader."""

from collections.abc import Callable, Collection

# In health intervals. A replica that loses the leadership soon after it was given it is not reached by somebody who
# elects: it waits longer each time, or the leadership would go back and forth for as long as that lasts.
FIRST_WAIT = 1
LONGER = 4
LONGEST_WAIT = 64


class Proving:
    """What one health loop remembers of the replicas. Losing it costs a needless switchover. Not thread-safe."""

    def __init__(self, monotonic: Callable[[], float], period_s: float) -> None:
        self._monotonic = monotonic
        self._period_s = period_s
        self._in_sync_since: dict[int, float] = {}  # replica id -> the tick from which on it was always in sync
        self._wait: dict[int, int] = {}  # replica id -> periods that it must be in sync
        self._leader: tuple[int, float] = (0, monotonic())  # who leads, and since when

    def note_in_sync(self, in_sync: Collection[int]) -> None:
        """Note who is in sync at a tick, the leader included."""
        now = self._monotonic()
        self._in_sync_since = {one: self._in_sync_since.get(one, now) for one in in_sync}

    def note_leader(self, leader_id: int) -> None:
        """Note who leads at a tick, or was made leader by it."""
        now = self._monotonic()
        before, since = self._leader
        if leader_id != before:
            self._leader = leader_id, now
        if leader_id < before:
            self._note_displaced(before, now, now - since)

    def forget_in_sync(self) -> None:
        """Note that nobody leads, so that nobody is in sync."""
        self._in_sync_since.clear()

    def proved(self) -> list[int]:
        """Return the replicas that have been in sync for as long as they must."""
        now = self._monotonic()
        return [one for one, since in self._in_sync_since.items() if now - since >= self._least_s(one)]

    def _note_displaced(self, replica_id: int, now: float, led_s: float) -> None:
        """A lower id leads instead: it failed, or somebody who elects could not reach it."""
        if replica_id in self._wait and led_s < LONGEST_WAIT * self._period_s:
            self._wait[replica_id] = min(self._wait[replica_id] * LONGER, LONGEST_WAIT)
        else:
            self._wait[replica_id] = FIRST_WAIT
        if replica_id in self._in_sync_since:
            self._in_sync_since[replica_id] = now

    def _least_s(self, replica_id: int) -> float:
        # A tick may be a little early against the one before it.
        return (self._wait.get(replica_id, FIRST_WAIT) - 0.1) * self._period_s
