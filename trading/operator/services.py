"""What operators do by REST: services of trading.operator.views."""

from typing import Any

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from trading.operator.jobs import resync_jobs
from trading.operator.look import cluster_look
from trading.operator.status import status_data
from trading.operator.switchover import switch_over
from trading.process import cluster_config, network
from trading.replicas.election import leadership_of


def replicas_status() -> dict[str, Any]:
    """Return the state of the order service, asked of all processes now; takes a second at most."""
    return status_data(cluster_look().look(measure=True), cluster_config())


def start_resync(*, replica_id: int) -> dict[str, Any]:
    """Have the leader bring a follower into sync, and return the job that does it.

    Raises:
        RpcFailure: REPLICA_NOT_FOUND, REPLICA_LEADS, NO_LEADER.
    """
    _require_known(replica_id)
    leader = cluster_look().look().leader
    if leader is None:
        raise RpcFailure(Reason.NO_LEADER, "no replica leads: there is nothing to catch up with")
    if leader.replica_id == replica_id:
        raise RpcFailure(Reason.REPLICA_LEADS, f"replica {replica_id} leads: it is what the others are compared with")
    return resync_jobs().start(leadership_of(leader), replica_id)


def last_resync(*, replica_id: int) -> dict[str, Any]:
    """Return the last job of a replica that this process was asked for.

    Raises:
        RpcFailure: REPLICA_NOT_FOUND; JOB_NOT_FOUND.
    """
    _require_known(replica_id)
    job = resync_jobs().last(replica_id)
    if job is None:
        raise RpcFailure(Reason.JOB_NOT_FOUND, f"no resync of replica {replica_id} was asked of this process")
    return job


def change_leader(*, to: int) -> dict[str, Any]:
    """Make a replica the leader, and return who leads once it serves.

    Raises:
        RpcFailure: REPLICA_NOT_FOUND; TARGET_NOT_IN_SYNC: the present leader goes on; NO_LEADER: there is none to
            switch from, or another election is under way; CATALOG; HALTED; OUTCOME_UNKNOWN: look who leads.
    """
    try:
        done = network().run(switch_over(cluster_config(), to))
    except RpcFailure as failure:
        raise _as_told(failure) from failure
    after, before = done.after, done.before
    return {"leader": after.leader_id, "epoch": after.epoch, "previous_leader": before.leader_id}


def _as_told(failure: RpcFailure) -> RpcFailure:
    """Return what the target's answer means for the operator."""
    if failure.reason.is_elected_elsewhere:
        return RpcFailure(Reason.NO_LEADER, f"another election is under way: {failure.message}")
    if failure.reason in (Reason.BACKFILLING, Reason.DAMAGED, Reason.UNREACHABLE):
        return RpcFailure(Reason.TARGET_NOT_IN_SYNC, failure.message)
    if not failure.was_answered:
        return RpcFailure(Reason.OUTCOME_UNKNOWN, f"it is not known whether it leads: {failure.message}")
    return failure


def _require_known(replica_id: int) -> None:
    known = cluster_config().replicas
    if replica_id not in known:
        raise RpcFailure(
            Reason.REPLICA_NOT_FOUND, f"replica {replica_id} is not in BOURSE_REPLICAS; there are {sorted(known)}"
        )
