"""What operators do by REST: services of trading.operator.views."""

from typing import Any

from common.calls.failures import RpcFailure
from trading.operator.jobs import resync_jobs
from trading.process import cluster_config, network
from trading.replicas.election import ELECTED_ELSEWHERE
from trading.replicas.failures import CatalogUnavailable, NoLeader, NotInSync, UnknownReplica
from trading.replicas.manager import replica_manager
from trading.replicas.switchover import switch_over

# What a replica that is to lead may answer, by what that means for the operator.
_NOT_NOW = ("BACKFILLING", "UNREACHABLE")


def start_resync(*, replica_id: int) -> dict[str, Any]:
    """Have the leader bring a follower into sync, and return the job that does it.

    Raises:
        RpcFailure: REPLICA_NOT_FOUND, REPLICA_LEADS, NO_LEADER.
    """
    _require_known(replica_id)
    leader = replica_manager().look().leader
    if leader is None:
        raise NoLeader("no replica leads: there is nothing to catch up with")
    if leader.replica_id == replica_id:
        raise RpcFailure(f"replica {replica_id} leads: it is what the others are compared with", reason="REPLICA_LEADS")
    return resync_jobs().start(leader.address, replica_id)


def last_resync(*, replica_id: int) -> dict[str, Any]:
    """Return the last job of a replica that this process was asked for.

    Raises:
        RpcFailure: REPLICA_NOT_FOUND; JOB_NOT_FOUND.
    """
    _require_known(replica_id)
    job = resync_jobs().last(replica_id)
    if job is None:
        raise RpcFailure(f"no resync of replica {replica_id} was asked of this process", reason="JOB_NOT_FOUND")
    return job


def change_leader(*, to: int) -> dict[str, Any]:
    """Make a replica the leader, and return who leads once it serves.

    Raises:
        RpcFailure: REPLICA_NOT_FOUND; TARGET_NOT_IN_SYNC: the present leader goes on; NO_LEADER: there is none to
            switch from, or another election is under way; CATALOG_UNAVAILABLE; HALTED; OUTCOME_UNKNOWN: look who leads.
    """
    try:
        done = network().run(switch_over(cluster_config(), to))
    except RpcFailure as failure:
        raise _as_told(failure) from failure
    after, before = done.after, done.before
    return {"leader": after.leader_id, "epoch": after.epoch, "previous_leader": before.leader_id}


def _as_told(failure: RpcFailure) -> RpcFailure:
    if failure.reason in ELECTED_ELSEWHERE:
        return NoLeader(f"another election is under way: {failure.message}")
    if failure.reason in _NOT_NOW:
        return NotInSync(failure.message)
    if failure.reason == "CATALOG":
        return CatalogUnavailable(failure.message)
    if not failure.was_answered:
        return RpcFailure(f"it is not known whether it leads: {failure.message}", reason="OUTCOME_UNKNOWN")
    return failure


def _require_known(replica_id: int) -> None:
    known = cluster_config().replicas
    if replica_id not in known:
        raise UnknownReplica(f"replica {replica_id} is not in BOURSE_REPLICAS; there are {sorted(known)}")
