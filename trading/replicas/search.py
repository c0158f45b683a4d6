"""Finding the present leader, or electing one: the procedure that a request, or the health loop, goes through."""

from collections.abc import Callable

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Call, Pause, Steps, Together
from common.process.config import ClusterConfig
from protos import catalog_pb2, order_pb2
from trading.replicas.election import (
    LEAST_TIME_S,
    LeaderAndEpoch,
    candidates,
    elect,
    leadership_of,
    nobody_leads,
)
from trading.replicas.view import POLL_TIMEOUT_S, ClusterView, poll, require_catalog

ELECTION_INTERVAL_S = 2.0
PASS_OVER_S = 10.0
CONFIRM_TIMEOUT_S = 0.4
# How long the newest epoch's replica may take to serve before another is elected.
SETTLE_S = 1.5
LOOK_AGAIN_S = 0.1


class ElectionMemory:
    """What one process remembers of its own elections. Losing it costs at most one needless election.

    Not thread-safe: only the one thread that looks for a leader uses it.
    """

    def __init__(self) -> None:
        self._last_election: float | None = None
        self._passed_over: dict[int, float] = {}  # replica id -> until when

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

    `failed` is the leadership that the caller gave up, and `failure` what it got from it. A leader that answers its
    HealthCheck after a call without an answer is merely slow and is found again. One that cannot reach the catalog
    while this process can is not.
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
        self._distrusted = failed if failure is not None and failure.reason in (Reason.CATALOG, Reason.HALTED) else None
        self._settle_until: float | None = None
        self._was_fenced = False

    def steps(self) -> Steps[LeaderAndEpoch]:
        """Return a leadership that could trade a moment ago.

        Raises:
            RpcFailure: CATALOG: the catalog does not answer here: no leader could trade, and none can be elected.
                HALTED: trading is halted until an operator acts.
                NO_LEADER: nobody can lead, or the deadline came first.
        """
        while True:
            view: ClusterView = yield from poll(self._config, self._poll_timeout_s())
            view.require_catalog()
            if view.leader is not None and leadership_of(view.leader) != self._distrusted:
                return leadership_of(view.leader)
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


def confirm(config: ClusterConfig, known: LeaderAndEpoch) -> Steps[LeaderAndEpoch | None]:
    """Return the known leader's present leadership, or None when it is not healthy or leads no more.

    Asks the leader and the catalog alone, so that a dead follower costs nothing.

    Raises:
        RpcFailure: as ClusterView.require_catalog.
    """
    leader, catalog = yield Together(
        [
            Call(known.address, order_pb2.HealthCheckRequest(), CONFIRM_TIMEOUT_S),
            Call(config.catalog, catalog_pb2.CatalogHealthRequest(), CONFIRM_TIMEOUT_S),
        ]
    )
    if isinstance(catalog, RpcFailure):
        require_catalog(None, catalog)
    else:
        require_catalog(catalog, None)
    if isinstance(leader, RpcFailure) or leader.stalled or leader.halted or leader.role != order_pb2.LEADER:
        return None
    # Its epoch may have been renewed (the catalog restarted) or overtaken by another replica's.
    if leader.replica_id != known.leader_id or leader.epoch < catalog.epoch:
        return None
    if known.cluster_id not in ("", leader.cluster_id):
        return None
    return LeaderAndEpoch(known.leader_id, known.address, leader.epoch, leader.cluster_id)
