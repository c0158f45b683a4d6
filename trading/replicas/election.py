"""Who shall lead, and making it so: docs/PROTOCOL.md, "Election and promotion"."""

import dataclasses
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from common.bounds import NEAR_ORDERS
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Call, Steps, Together
from common.process.config import ClusterConfig
from protos import order_pb2
from trading.replicas.view import POLL_TIMEOUT_S, ClusterView, ReplicaReport, short_text

# The chosen one reads what it lacks, begins an epoch and brings peers into sync for at most 1 s.
ASSIGN_TIMEOUT_S = 3.0
# With less time left than this, an election would only be cut off in its middle.
LEAST_TIME_S = 0.3


@dataclass(frozen=True)
class LeaderAndEpoch:
    """A leadership: which replica leads, where it is, and in which epoch. Those with equal fields are the same one.

    Attributes:
        cluster_id: of the leader; "" if it had none yet when it was asked.
    """

    leader_id: int
    address: str
    epoch: int
    cluster_id: str = ""

    @property
    def addressee(self) -> order_pb2.Addressee:
        """Whom a message to the leader is meant for."""
        return order_pb2.Addressee(replica_id=self.leader_id, cluster_id=self.cluster_id)


def leadership_of(leader: ReplicaReport) -> LeaderAndEpoch:
    """Return the leadership of a replica whose report says that it leads."""
    assert leader.health is not None, leader
    return LeaderAndEpoch(leader.replica_id, leader.address, leader.health.epoch, leader.health.cluster_id)


def candidates(view: ClusterView, passed_over: Collection[int] = ()) -> list[ReplicaReport]:
    """Return the healthy replicas in the order in which they are asked to lead; empty when none is healthy.

    First those whose last number is within NEAR_ORDERS of the longest healthy one, by descending id. The ones passed
    over come behind them, so they are asked when they are the only ones. Those further behind come last: they answer
    BACKFILLING, but go on reading.
    """
    healthy = [report for report in view.replicas if report.is_healthy]
    longest = max((report.last_number for report in healthy), default=0)

    def rank(report: ReplicaReport) -> tuple[bool, bool, int]:
        is_far = longest - report.last_number > NEAR_ORDERS
        return is_far, report.replica_id in passed_over, -report.replica_id

    return sorted(healthy, key=rank)


def assign(
    config: ClusterConfig, view: ClusterView, chosen: ReplicaReport, timeout_s: float, hold_s: int = 0
) -> Steps[LeaderAndEpoch]:
    """Make `chosen` the leader of a new epoch, then tell the other replicas that answered the poll.

    For `hold_s` seconds the health loop leaves it the leader, although a higher id is in sync.

    Those that did not answer learn of it from the catalog, which refuses their epoch, or from the health loop.

    Raises:
        RpcFailure: what the chosen one answered, or that it did not answer: then it may lead all the same.
    """
    chosen_one = LeaderAndEpoch(chosen.replica_id, chosen.address, view.newest_epoch, view.cluster_id)
    request = _assign_request(config, chosen_one, chosen.replica_id)
    request.hold_s = hold_s
    for peer in request.peers:
        report = view.find(peer.replica_id)
        peer.silent = report is not None and report.failure is not None and report.failure.reason is Reason.NO_ANSWER
    answer: order_pb2.AssignLeaderResponse = yield Call(chosen.address, request, timeout_s)
    if answer.replica_id not in (0, chosen.replica_id):  # 0: a process of the version before
        raise RpcFailure(Reason.WRONG_REPLICA, f"{chosen.address} is replica {answer.replica_id}")
    leadership = dataclasses.replace(chosen_one, epoch=answer.epoch)
    others = [report for report in view.replicas if report.health and report.replica_id != chosen.replica_id]
    yield from tell(config, leadership, others)
    return leadership


def tell(config: ClusterConfig, leadership: LeaderAndEpoch, followers: Collection[ReplicaReport]) -> Steps[None]:
    """Tell replicas whom to follow. What they answer does not matter: an epoch is safe whoever knows of it."""
    if followers:
        yield Together(
            [
                Call(report.address, _assign_request(config, leadership, report.replica_id), POLL_TIMEOUT_S)
                for report in followers
            ]
        )


def elect(
    config: ClusterConfig,
    view: ClusterView,
    passed_over: Collection[int],
    *,
    monotonic: Callable[[], float],
    deadline: float,
) -> Steps[LeaderAndEpoch]:
    """Ask the candidates one after the other to lead, until one does.

    Raises:
        RpcFailure: FENCED, PROMOTING: somebody else elects (`is_elected_elsewhere`), look again.
            HALTED: the candidate found the histories in disagreement, or all that answer are halted.
            CATALOG: no candidate can reach the catalog.
            NO_LEADER: no candidate could lead before `deadline`.
    """
    refusals: list[tuple[ReplicaReport, RpcFailure]] = []
    for candidate in candidates(view, passed_over):
        timeout_s = min(ASSIGN_TIMEOUT_S, deadline - monotonic())
        if timeout_s < LEAST_TIME_S:
            raise RpcFailure(Reason.NO_LEADER, "the time was up before a leader was elected")
        try:
            return (yield from assign(config, view, candidate, timeout_s))
        except RpcFailure as refusal:
            if refusal.reason.is_elected_elsewhere:
                raise
            if refusal.reason in (Reason.HALTED, Reason.DIVERGED):
                raise RpcFailure(Reason.HALTED, f"replica {candidate.replica_id}: {refusal.message}") from refusal
            refusals.append((candidate, refusal))
    raise nobody_leads(view, refusals)


def nobody_leads(view: ClusterView, refusals: Sequence[tuple[ReplicaReport, RpcFailure]] = ()) -> RpcFailure:
    """Return why there is no leader: what the candidates refused with, or why there was no candidate."""
    if refusals and all(refusal.reason is Reason.CATALOG for _, refusal in refusals):
        return RpcFailure(Reason.CATALOG, "no replica reaches the catalog")
    if refusals:
        told = "; ".join(f"replica {report.replica_id}: {short_text(refusal)}" for report, refusal in refusals)
        return RpcFailure(Reason.NO_LEADER, f"no replica could be made leader: {told}")
    told = "; ".join(f"replica {report.replica_id}: {report.trouble}" for report in view.replicas)
    if any(report.health and (report.health.halted or report.foreign) for report in view.replicas):
        return RpcFailure(Reason.HALTED, f"no replica may lead: {told}")
    return RpcFailure(Reason.NO_LEADER, f"no replica is healthy: {told}")


def _assign_request(
    config: ClusterConfig, leadership: LeaderAndEpoch, receiver_id: int
) -> order_pb2.AssignLeaderRequest:
    peers = [order_pb2.Peer(replica_id=one, address=address) for one, address in sorted(config.replicas.items())]
    return order_pb2.AssignLeaderRequest(
        leader_id=leadership.leader_id,
        peers=peers,
        expected_epoch=leadership.epoch,
        to=order_pb2.Addressee(replica_id=receiver_id, cluster_id=leadership.cluster_id),
    )
