"""The health loop's work at one tick, and what it remembers between ticks: docs/PROTOCOL.md, "Return"."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

from common.calls.failures import RpcFailure
from common.calls.steps import Steps
from common.process.config import ClusterConfig
from protos import order_pb2
from trading.replicas.election import ASSIGN_TIMEOUT_S, LeaderAndEpoch, assign, leadership_of, tell
from trading.replicas.search import ElectionMemory, LeaderSearch
from trading.replicas.view import ClusterView, ReplicaReport

# How long one tick may look for a leader.
SEARCH_BUDGET_S = 8.0

# In health intervals. A replica that loses the leadership soon after it was given it is not reached by somebody who
# elects: it waits longer each time, or the leadership would go back and forth for as long as that lasts.
FIRST_WAIT = 1
LONGER = 4
LONGEST_WAIT = 64


@dataclass(frozen=True)
class TickReport:
    """What a tick saw and did.

    Attributes:
        view: the last poll of the tick.
        leadership: who leads at its end; None when nobody does.
        trouble: why nobody leads, or why the planned switchover failed.
        resync: followers that answer and are not in sync; the leader is to be asked to bring them up to date.
    """

    view: ClusterView
    leadership: LeaderAndEpoch | None
    trouble: RpcFailure | None = None
    resync: tuple[int, ...] = ()


class Proving:
    """How long each replica has been in sync, and must be before the health loop makes it the leader.

    Losing it costs a needless switchover. Not thread-safe.
    """

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


class HealthLoop:
    """Looks at all replicas, a tick after the other. Not thread-safe: one thread makes the ticks."""

    def __init__(self, config: ClusterConfig, monotonic: Callable[[], float], period_s: float) -> None:
        self._config = config
        self._monotonic = monotonic
        self._memory = ElectionMemory()
        self._watch_s = math.ceil(2 * period_s + SEARCH_BUDGET_S)  # a tick may be late, and long
        self._proving = Proving(monotonic, period_s)

    def tick(self) -> Steps[TickReport]:
        """See that somebody leads, that all follow, and, not cut off, that the highest id leads once it proved itself.

        Raises nothing: what fails is in the report and is tried again at the next tick.
        """
        view = yield from self._memory.poll(self._config, watch_s=self._watch_s)
        if view.leader is None:
            try:
                yield from self._search_leader()
            except RpcFailure as failure:
                self._proving.forget_in_sync()
                return TickReport(view, None, failure)
            view = yield from self._memory.poll(self._config, watch_s=self._watch_s)
        if view.leader is None:
            return TickReport(view, None)
        leadership = leadership_of(view.leader)
        self._proving.note_in_sync([one.replica_id for one in view.replicas if is_in_sync(view, one.replica_id)])
        self._proving.note_leader(leadership.leader_id)
        yield from tell(self._config, leadership, strayed(view, leadership))
        resync = out_of_sync(view)
        if view.catalog is not None and has_other_followers(view, self._config):
            return (yield from self._renew(view, leadership, resync))
        successor = self._successor(view, leadership)
        if successor is None:
            return TickReport(view, leadership, None, resync)
        return (yield from self._switch_over(view, leadership, successor, resync))

    def _search_leader(self) -> Steps[LeaderAndEpoch]:
        deadline = self._monotonic() + SEARCH_BUDGET_S
        return LeaderSearch(self._config, self._memory, monotonic=self._monotonic, deadline=deadline).steps()

    def _renew(self, view: ClusterView, leadership: LeaderAndEpoch, resync: tuple[int, ...]) -> Steps[TickReport]:
        """Have the present leader lead anew, with the followers that the configuration has now."""
        assert view.leader is not None
        assert view.leader.health is not None
        try:
            renewed = yield from assign(
                self._config, view, view.leader, ASSIGN_TIMEOUT_S, hold_s=view.leader.health.held_s
            )
        except RpcFailure as failure:
            return TickReport(view, leadership, failure, resync)
        return TickReport(view, renewed, None, resync)

    def _switch_over(
        self, view: ClusterView, leadership: LeaderAndEpoch, successor_id: int, resync: tuple[int, ...]
    ) -> Steps[TickReport]:
        successor = view.find(successor_id)
        assert successor is not None
        try:
            switched = yield from assign(self._config, view, successor, ASSIGN_TIMEOUT_S)
        except RpcFailure as failure:
            # The present leader goes on, or another one was elected: the next tick looks again.
            return TickReport(view, leadership, failure, resync)
        self._proving.note_leader(switched.leader_id)
        return TickReport(view, switched)

    def _successor(self, view: ClusterView, leadership: LeaderAndEpoch) -> int | None:
        """Return the highest id above the leader's that has been in sync for long enough, None if there is none.

        None also while an operator's choice of the leader holds, and without the catalog: see PROTOCOL.md, "Cut off".
        """
        if view.catalog is None or (view.leader and view.leader.health and view.leader.health.held_s):
            return None
        unwanted = self._memory.passed_over(self._monotonic())
        proved = [one for one in self._proving.proved() if one > leadership.leader_id and one not in unwanted]
        return max(proved, default=None)


def is_in_sync(view: ClusterView, replica_id: int) -> bool:
    """Whether a replica leads, or is healthy and in sync by the leader's word; False when nobody leads."""
    report = view.find(replica_id)
    if view.leader is None or report is None or not report.is_healthy:
        return False
    status = view.follower_status(replica_id)
    return report is view.leader or (status is not None and status.state == order_pb2.IN_SYNC)


def out_of_sync(view: ClusterView) -> tuple[int, ...]:
    """Return the followers that are healthy, yet not in sync by the leader's word: it can bring them up to date."""
    return tuple(
        report.replica_id
        for report in view.replicas
        if report.is_healthy and view.leader is not None and not is_in_sync(view, report.replica_id)
    )


def has_other_followers(view: ClusterView, config: ClusterConfig) -> bool:
    """Whether the leader's followers are not those of the configuration: one was added, removed, or has moved."""
    if view.leader is None or view.leader.health is None:
        return False
    known = {one.replica_id: one.address for one in view.leader.health.followers}
    return known != {one: address for one, address in config.replicas.items() if one != view.leader.replica_id}


def strayed(view: ClusterView, leadership: LeaderAndEpoch) -> list[ReplicaReport]:
    """Return the replicas that answer, but do not know the leadership: restarted, or woken up as an old leader."""
    return [
        report
        for report in view.replicas
        if report.health is not None
        and report.replica_id != leadership.leader_id
        and (
            report.health.leader_id != leadership.leader_id
            or report.health.epoch != leadership.epoch
            or report.health.role == order_pb2.LEADER
        )
    ]
