"""A planned change of the leader: nothing is lost and no request fails, because the frontends ask the new one."""

from dataclasses import dataclass

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Steps
from common.process.config import ClusterConfig
from protos import order_pb2
from trading.replicas.election import ASSIGN_TIMEOUT_S, LeaderAndEpoch, assign, leadership_of
from trading.replicas.health import is_in_sync
from trading.replicas.view import ClusterView, ReplicaReport, poll

# So long the health loop leaves the chosen one the leader, unless told otherwise: time for work on the one before.
HOLD_S = 600


@dataclass(frozen=True)
class Switchover:
    """What became of a planned change. `before` and `after` are equal if the target led already."""

    before: LeaderAndEpoch
    after: LeaderAndEpoch


def switch_over(config: ClusterConfig, to: int | None = None, hold_s: int = HOLD_S) -> Steps[Switchover]:
    """Make `to` the leader, or without it the highest id in sync besides the present leader.

    Done when the new leader serves. It stays the leader for `hold_s` seconds (0 to 86400) although a higher id is in
    sync; if it fails in that time another one is elected as ever.

    Raises:
        RpcFailure: REPLICA_NOT_FOUND: `to` is not in the configuration.
            NO_LEADER, CATALOG, HALTED: there is no present leader, or nothing can be traded now.
            TARGET_NOT_IN_SYNC: the target is not in sync, or no other replica is. The present leader goes on.
            What the target answered: FENCED or PROMOTING: somebody else elects at this moment; NO_ANSWER: it may lead
            all the same: look again.
    """
    if to is not None and to not in config.replicas:
        raise RpcFailure(
            Reason.REPLICA_NOT_FOUND, f"replica {to} is not in BOURSE_REPLICAS; there are {sorted(config.replicas)}"
        )
    view: ClusterView = yield from poll(config)
    view.require_catalog()
    if view.leader is None:
        raise RpcFailure(Reason.NO_LEADER, "no replica leads: there is nothing to switch over from")
    before = leadership_of(view.leader)
    target = _choose(view) if to is None else _require_in_sync(view, to)
    if target is view.leader:
        return Switchover(before, before)
    after = yield from assign(config, view, target, ASSIGN_TIMEOUT_S, hold_s)
    return Switchover(before, after)


def _choose(view: ClusterView) -> ReplicaReport:
    for report in view.replicas:  # by descending id
        if report is not view.leader and is_in_sync(view, report.replica_id):
            return report
    raise RpcFailure(Reason.TARGET_NOT_IN_SYNC, "no replica besides the leader is in sync")


def _require_in_sync(view: ClusterView, replica_id: int) -> ReplicaReport:
    report = view.find(replica_id)
    assert report is not None, replica_id
    if is_in_sync(view, replica_id):
        return report
    if report.trouble is not None:
        raise RpcFailure(Reason.TARGET_NOT_IN_SYNC, f"replica {replica_id} cannot lead: {report.trouble}")
    status = view.follower_status(replica_id)
    is_faulty = status is None or status.state == order_pb2.FAULTY
    state = "left out by the leader" if is_faulty else "catching up"
    last_number = view.leader.last_number if view.leader else 0
    raise RpcFailure(
        Reason.TARGET_NOT_IN_SYNC,
        f"replica {replica_id} is not in sync: {state}, at order {report.last_number} of {last_number};"
        f" `replicas resync {replica_id}` first",
    )
