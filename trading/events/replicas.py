"""Changes of the leader and of the replicas as events: what differs from one look at the cluster to the next.

The counterpart of market.py: a source of events.
"""

from collections.abc import Callable, Sequence
from typing import Any

from trading.api.renderers import exact_json
from trading.events.ring import Event
from trading.events.topics import LEADER, REPLICA

INTERVAL_S = 1.0


class ReplicaSource:
    """Compares each look with the one before. Not thread-safe: one thread makes the ticks."""

    def __init__(self, look: Callable[[], dict[str, Any]], publish: Callable[[Sequence[Event]], None]) -> None:
        """`look` asks for the status as GET /replicas shows it."""
        self._look = look
        self._publish = publish
        self._before: dict[str, Any] | None = None
        self._last_leader: int | None = None

    def tick(self) -> None:
        """Look, and publish what has changed; nothing at the first look."""
        now = self._look()
        before, self._before = self._before, now
        if before is not None:
            events = [event for replica in now["replicas"] if (event := _replica_event(replica, before)) is not None]
            if (now["leader"], now["epoch"]) != (before["leader"], before["epoch"]):
                events.append(self._leader_event(now))
            if events:
                self._publish(events)
        self._last_leader = now["leader"] or self._last_leader

    def _leader_event(self, now: dict[str, Any]) -> Event:
        data = {"leader": now["leader"], "epoch": now["epoch"], "reason": self._reason(now)}
        return Event(LEADER, exact_json(data))

    def _reason(self, now: dict[str, Any]) -> str:
        if now["leader"] is None:
            return "lost"
        if now["leader"] == self._last_leader:
            return "renewed"
        states = {replica["id"]: replica["state"] for replica in now["replicas"]}
        return "switchover" if states.get(self._last_leader) == "in-sync" else "failover"


def _replica_event(replica: dict[str, Any], before: dict[str, Any]) -> Event | None:
    """Return the event of a replica that changed; while it is caught up, of its progress too."""
    old = next((one for one in before["replicas"] if one["id"] == replica["id"]), None)
    shown = ("id", "state", "lag", "role") if replica["state"] == "catching-up" else ("id", "state", "role")
    if old is not None and all(old[field] == replica[field] for field in shown):
        return None
    return Event(REPLICA, exact_json({field: replica[field] for field in ("id", "state", "lag", "role")}))
