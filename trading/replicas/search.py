"""Finding the present leader, or electing one: the procedure that a request, or the health loop, goes through."""

import dataclasses
from collections.abc import Callable, Mapping

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Call, Pause, Steps
from common.process.config import ClusterConfig
from protos import order_pb2
from trading.replicas.election import (
    LEAST_TIME_S,
    LeaderAndEpoch,
    candidates,
    elect,
    leadership_of,
    nobody_leads,
)
from trading.replicas.view import POLL_TIMEOUT_S, ClusterView, poll

ELECTION_INTERVAL_S = 2.0
PASS_OVER_S = 10.0
CONFIRM_TIMEOUT_S = 0.4
# A leader that did not answer, when asked again: with the time-out above it has been silent for 0.7 s, and was asked
# twice at least. A message that was lost is sent again by the system within 0.2 s.
SECOND_LOOK_S = 0.3
# For so long a leader is asked whether the catalog has answered it meanwhile: it asks the catalog twice a second, and
# waits half a second for the answer.
WITNESS_S = 1.2
# How long the newest epoch's replica may take to serve before another is elected.
SETTLE_S = 1.5
LOOK_AGAIN_S = 0.1


class ElectionMemory:
    """What one process remembers of its own elections. Losing it costs at most one needless election.

    Not thread-safe, except for `poll`: only the one thread that looks for a leader uses it.

    Attributes:
        cluster_id: of the catalog that last answered it; "" before.
    """

    def __init__(self) -> None:
        self.cluster_id = ""
        self._last_election: float | None = None
        self._passed_over: dict[int, float] = {}  # replica id -> until when

    def poll(
        self,
        config: ClusterConfig,
        timeout_s: float = POLL_TIMEOUT_S,
        shorter_s: Mapping[str, float] | None = None,
        watch_s: int = 0,
    ) -> Steps[ClusterView]:
        """Poll as `trading.replicas.view.poll`, and remember whose cluster it is. Any thread may do this."""
        view = yield from poll(config, timeout_s, self.cluster_id, shorter_s, watch_s)
        if view.catalog is not None:
            self.cluster_id = view.cluster_id
        return view

    def wait_s(self, now: float) -> float:
        """Return how long no election may be begun: at most one in ELECTION_INTERVAL_S."""
        if self._last_election is None:
            return 0.0
        return max(0.0, self._last_election + ELECTION_INTERVAL_S - now)

    def begin_election(self, now: float, failed_id: int | None) -> None:
        """Note an election, and the replica whose failure caused it."""
        self._last_election = now
        if failed_id is not None:
            self._passed_over[failed_id] = now + PASS_OVER_S

    def passed_over(self, now: float) -> set[int]:
        """Return the replicas that are not chosen now unless they are the only ones."""
        return {replica_id for replica_id, until in self._passed_over.items() if now < until}


class LeaderSearch:
    """One search for a leader that can trade: poll, adopt the newest epoch's leader, or elect.

    `failed` is the leadership that the caller gave up, and `failure` what it got from it; None: no answer. A leader
    that answers its HealthCheck after a call without an answer is merely slow and is found again. One that cannot
    reach the catalog while this process can is not.

    A process that does not reach the catalog itself adopts a leader that does (`confirm`), and elects nobody.
    """

    def __init__(
        self,
        config: ClusterConfig,
        memory: ElectionMemory,
        *,
        monotonic: Callable[[], float],
        deadline: float,
        failed: LeaderAndEpoch | None = None,
        failure: RpcFailure | None = None,
    ) -> None:
        self._config = config
        self._memory = memory
        self._monotonic = monotonic
        self._deadline = deadline
        self._failed = failed
        is_suspect = failed is not None and (failure is None or failure.reason.is_silence)
        # Who was silent before is not waited for as long as the others, and later even less.
        self._shorter_s = {failed.address: SECOND_LOOK_S} if failed is not None and is_suspect else {}
        self._distrusted = failed if failure is not None and failure.reason in (Reason.CATALOG, Reason.HALTED) else None
        self._settle_until: float | None = None
        self._was_fenced = False

    def steps(self) -> Steps[LeaderAndEpoch]:
        """Return a leadership that could trade a moment ago.

        Raises:
            RpcFailure: CATALOG: the catalog answers neither here nor a leader: nobody could trade, or be elected.
                HALTED: trading is halted until an operator acts.
                NO_LEADER: nobody can lead, or the deadline came first.
        """
        while True:
            asked_at = self._monotonic()
            view = yield from self._memory.poll(self._config, self._poll_timeout_s(), self._shorter_s)
            self._shorter_s = dict.fromkeys(self._shorter_s, LOOK_AGAIN_S)
            found = leadership_of(view.leader) if view.leader is not None else None
            found = None if found == self._distrusted else found
            if found is not None and view.is_cut_off:
                found = yield from confirm(
                    self._config, self._memory, found, self._monotonic, self._deadline, since=asked_at
                )
                if found is not None:
                    return found
            view.require_catalog()
            if found is not None:
                return found
            if not candidates(view):
                raise nobody_leads(view)
            wait_s = self._time_to_wait(view)
            if wait_s > 0:
                yield Pause(wait_s)
                continue
            now = self._monotonic()
            if not self._was_fenced:
                self._memory.begin_election(now, self._failed.leader_id if self._failed else None)
            try:
                return (yield from self._elect(view, now))
            except RpcFailure as refusal:
                # Somebody else elected at the same moment: adopt that leader, else try once more.
                if not refusal.reason.is_elected_elsewhere or self._was_fenced:
                    raise self._as_no_leader(refusal) from refusal
                self._was_fenced = True

    def _elect(self, view: ClusterView, now: float) -> Steps[LeaderAndEpoch]:
        return elect(
            self._config,
            view,
            self._memory.passed_over(now),
            monotonic=self._monotonic,
            deadline=self._deadline,
        )

    def _time_to_wait(self, view: ClusterView) -> float:
        """Return how long to wait before looking again; 0 to elect now.

        Raises:
            RpcFailure: NO_LEADER: there is not enough time left to wait and elect.
        """
        now = self._monotonic()
        if view.is_settling and self._distrusted is None:
            if self._settle_until is None:
                self._settle_until = now + SETTLE_S
            wait_s = max(0.0, self._settle_until - now)
        else:
            wait_s = 0.0
        if not self._was_fenced:
            wait_s = max(wait_s, self._memory.wait_s(now))
        left_s = self._deadline - now
        if left_s < LEAST_TIME_S:
            raise RpcFailure(Reason.NO_LEADER, "the time was up before a leader was found")
        return min(wait_s, LOOK_AGAIN_S, left_s)

    def _poll_timeout_s(self) -> float:
        return min(POLL_TIMEOUT_S, max(LOOK_AGAIN_S, self._deadline - self._monotonic()))

    @staticmethod
    def _as_no_leader(refusal: RpcFailure) -> RpcFailure:
        if refusal.reason.is_elected_elsewhere:
            return RpcFailure(Reason.NO_LEADER, f"another election is under way: {refusal.message}")
        return refusal


def confirm(
    config: ClusterConfig,
    memory: ElectionMemory,
    known: LeaderAndEpoch,
    monotonic: Callable[[], float],
    deadline: float,
    *,
    since: float | None = None,
) -> Steps[LeaderAndEpoch | None]:
    """Return the known leader's present leadership, or None when it is not healthy or leads no more.

    Asks the leader and the catalog alone, so that a dead follower costs nothing. If the catalog does not answer here,
    it must have answered the leader after `since`, when this process had begun to ask in vain (None: now). What the
    leader heard before is not enough: it takes a second to notice that the catalog died, and an order that was sent
    meanwhile would have an unknown outcome, instead of being refused.

    Raises:
        RpcFailure: as ClusterView.require_catalog.
    """
    only = dataclasses.replace(config, replicas={known.leader_id: known.address})
    until = min(monotonic() + WITNESS_S, deadline)
    while True:
        asked_at = monotonic()
        shorter_s = {config.catalog: LOOK_AGAIN_S} if since is not None else {}
        since = asked_at if since is None else since
        view = yield from memory.poll(only, CONFIRM_TIMEOUT_S, shorter_s)
        if view.leader is None or view.leader.health is None:
            return None
        if known.cluster_id not in ("", view.leader.health.cluster_id):
            return None
        if view.is_cut_off:
            if asked_at - view.leader.health.catalog_heard_ms / 1000 >= since:
                return leadership_of(view.leader)
            if asked_at + LOOK_AGAIN_S < until:
                yield Pause(LOOK_AGAIN_S)
                continue
        view.require_catalog()
        return leadership_of(view.leader)


def is_alive(leadership: LeaderAndEpoch) -> Steps[bool]:
    """Whether a leader answers its HealthCheck, whatever it says. A slow disk does not keep it from that."""
    try:
        yield Call(leadership.address, order_pb2.HealthCheckRequest(), CONFIRM_TIMEOUT_S)
    except RpcFailure as failure:
        return failure.was_answered
    return True
