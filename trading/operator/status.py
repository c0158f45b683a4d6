"""The state of the order service as an operator reads it: the `data` of GET /replicas (docs/API.md, "Operation")."""

from typing import Any

from common.process.config import ClusterConfig
from common.rows import time_text
from protos import order_pb2
from trading.replicas.health import is_in_sync
from trading.replicas.view import ClusterView, ReplicaReport, short_text

OK = "ok"
DEGRADED = "degraded"
DOWN = "down"

SETTLED_BY = "what to do: docs/OPERATIONS.md, 5; once seen, remove findings.txt in the data directory of that process"

_ROLES = {order_pb2.LEADER: "leader", order_pb2.FOLLOWER: "follower", order_pb2.PROMOTING: "promoting"}


def status_data(view: ClusterView, config: ClusterConfig) -> dict[str, Any]:
    """Return the JSON of the cluster's state; replicas by descending id, the leader first.

    `health`: "ok": all configured replicas are in sync; "down": no order can be acknowledged (no leader, no catalog,
    or too few in sync); "degraded" otherwise, also if the catalog answers the leader, and not this process.
    `last_number` is the leader's, without one the highest that was seen.
    """
    leader = view.leader
    health = leader.health if leader else None
    seen = [report.last_number for report in view.replicas] + ([view.catalog.last_number] if view.catalog else [])
    last_number = leader.last_number if leader else max(seen)
    min_in_sync = health.min_in_sync if health and health.min_in_sync else config.min_in_sync
    reports = sorted(view.replicas, key=lambda report: (report is not leader, -report.replica_id))
    return {
        "health": _health(view, min_in_sync),
        "min_in_sync": min_in_sync,
        "leader": leader.replica_id if leader else None,
        "epoch": view.newest_epoch,
        "last_number": last_number,
        "catalog": _catalog(view, config),
        "health_loop": not is_unwatched(view),
        "replicas": [_replica(view, report, last_number) for report in reports],
    }


def is_unwatched(view: ClusterView) -> bool:
    """Return whether, by all replicas that can tell, a health loop is a minute late; False if none can tell."""
    told = [one.health.watched for one in view.replicas if one.health and one.health.HasField("watched")]
    return bool(told) and not any(told)


def is_watched(view: ClusterView) -> bool:
    """Return whether a health loop looks at any replica that answers; False also if none can tell."""
    return any(one.health.watched for one in view.replicas if one.health)


def in_sync_count(data: dict[str, Any]) -> int:
    """Return how many replicas of a status are in sync, the leader included."""
    return sum(replica["state"] == "in-sync" for replica in data["replicas"])


def finding_lines(data: dict[str, Any]) -> list[str]:
    """Return a line for each thing that a process found wrong with its files, and one that says how it is settled."""
    owners = [("catalog", data["catalog"]), *((f"replica {one['id']}", one) for one in data["replicas"])]
    lines = [f"{name} found: {finding}" for name, owner in owners for finding in owner["findings"]]
    return [*lines, SETTLED_BY] if lines else []


def _health(view: ClusterView, min_in_sync: int) -> str:
    count = sum(is_in_sync(view, report.replica_id) for report in view.replicas)
    trouble = _catalog_trouble(view)
    if view.leader is None or (trouble is not None and not view.is_cut_off) or count < min_in_sync:
        return DOWN
    return OK if count == len(view.replicas) and trouble is None else DEGRADED


def _catalog(view: ClusterView, config: ClusterConfig) -> dict[str, Any]:
    trouble = _catalog_trouble(view)
    return {
        "address": config.catalog,
        "trades": trouble is None or view.is_cut_off,
        "last_number": view.catalog.last_number if view.catalog else None,
        "error": trouble,
        "findings": list(view.catalog.findings) if view.catalog else [],
    }


def _catalog_trouble(view: ClusterView) -> str | None:
    if view.is_cut_off:
        return f"this process does not reach it ({short_text(view.catalog_failure)}); the leader does"
    if view.catalog is None:
        return short_text(view.catalog_failure)
    if view.catalog.halted:
        return f"halted: {view.catalog.halted}"
    return "stalled: a write or sync is older than 2 s" if view.catalog.stalled else None


def _replica(view: ClusterView, report: ReplicaReport, last_number: int) -> dict[str, Any]:
    health = report.health
    return {
        "id": report.replica_id,
        "address": report.address,
        "role": _ROLES.get(health.role) if health else None,
        "state": _state(view, report),
        "last_number": health.last_number if health else None,
        "lag": max(0, last_number - health.last_number) if health else None,
        "rtt_ms": round(report.rtt_s * 1000, 3) if report.rtt_s is not None else None,
        "last_seen": time_text(report.last_seen) if report.last_seen else None,
        "error": _error(view, report),
        "findings": list(health.findings) if health else [],
    }


def _state(view: ClusterView, report: ReplicaReport) -> str:
    """Return the state by the leader's word. One that is healthy, and that nobody catches up, is lagging."""
    if is_in_sync(view, report.replica_id):
        return "in-sync"
    if not report.is_healthy:
        return "faulty"
    status = view.follower_status(report.replica_id)
    return "catching-up" if status is not None and status.state == order_pb2.CATCHING_UP else "lagging"


def _error(view: ClusterView, report: ReplicaReport) -> str | None:
    if report.trouble is not None or is_in_sync(view, report.replica_id):
        return report.trouble
    if _state(view, report) != "lagging" or view.leader is None:
        return None
    status = view.follower_status(report.replica_id)
    # The leader gives the whole failure; its last words fit into a cell.
    why = status.error.rpartition(": ")[2] if status else ""
    left_out = f"left out by the leader ({why})" if why else "left out by the leader"
    if is_unwatched(view):
        return f"{left_out}; no health loop catches it up: start one, or `replicas resync {report.replica_id}`"
    whose = "the health loop's next round" if is_watched(view) else "a health loop, if one runs,"
    return f"{left_out}; {whose} catches it up, or `replicas resync {report.replica_id}`"
