"""What differs from one tick of the health loop to the next: logged, and kept as events."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog

from common.process.config import ClusterConfig
from common.rows import time_text
from trading.operator.event_file import ClusterEvent
from trading.operator.status import in_sync_count, status_data
from trading.replicas.health import TickReport

log = structlog.get_logger()

SUMMARY_S = 60.0
_UNSEEN = object()
_KINDS = {"faulty": "failure", "catching-up": "catching-up", "lagging": "lagging", "in-sync": "return"}


class ChangeLog:
    """Logs what differs from the tick before, and a summary once in SUMMARY_S; gives each change to `keep` too.

    Not thread-safe: the health loop's thread alone uses it.
    """

    def __init__(
        self,
        config: ClusterConfig,
        *,
        monotonic: Callable[[], float],
        utc_now: Callable[[], datetime],
        keep: Callable[[ClusterEvent], None] = lambda _event: None,
    ) -> None:
        self._config = config
        self._monotonic = monotonic
        self._utc_now = utc_now
        self._keep = keep
        self._last: dict[str, Any] = {}
        self._summary_due = monotonic()

    def note(self, report: TickReport) -> None:
        """Log a tick's report."""
        data = status_data(report.view, self._config)
        self._note_leader(report)
        self._note_catalog(data["catalog"])
        if (
            self._changed("trouble", report.trouble.reason.told_as if report.trouble else None, at_first=None)
            and report.trouble
        ):
            log.warning("trouble", reason=report.trouble.reason.told_as, message=report.trouble.message)
        for replica in data["replicas"]:
            self._note_replica(replica)
        if self._monotonic() >= self._summary_due:
            self._summary_due = self._monotonic() + SUMMARY_S
            log.info(
                "orders",
                health=data["health"],
                leader=data["leader"],
                epoch=data["epoch"],
                last_number=data["last_number"],
                in_sync=f"{in_sync_count(data)}/{len(data['replicas'])}",
            )

    def note_watch(self, kind: str, text: str) -> None:
        """Keep that the watching begins (`watch-start`) or ends (`watch-end`)."""
        self._keep(ClusterEvent(time_text(self._utc_now()), kind, text))

    def _note_leader(self, report: TickReport) -> None:
        leader, why = report.leadership, report.trouble.message if report.trouble else "none was elected yet"
        if not self._changed("leader", (leader.leader_id, leader.epoch) if leader else None):
            return
        if leader is None:
            log.warning("nobody leads", why=why)
            self._event("no-leader", f"nobody leads: {why}")
        else:
            log.info("leader changed", now=leader.leader_id, epoch=leader.epoch)
            text = f"replica {leader.leader_id} leads epoch {leader.epoch}"
            self._event("election", text, leader.leader_id, leader.epoch)

    def _note_catalog(self, catalog: dict[str, Any]) -> None:
        error = catalog["error"]
        if not self._changed("catalog", error, at_first=None):
            return
        if error is None:
            log.info("catalog answers again")
            self._event("catalog-return", "the catalog trades again")
        else:
            log.warning("catalog changed", why=error)
            self._event("catalog-failure", f"the catalog{'' if catalog['trades'] else ' does not trade'}: {error}")

    def _note_replica(self, replica: dict[str, Any]) -> None:
        name = f"replica {replica['id']}"
        before, now = self._last.get(name), replica["state"]
        if not self._changed(name, now):
            return
        more = {key: value for key, value in (("before", before), ("why", replica["error"])) if value}
        log.info(f"{name} changed", now=now, **more)
        if before is not None or now != "in-sync":  # that all is well at the start is no event
            text = f"{name}: {now}" + (f": {replica['error']}" if replica["error"] else "")
            self._event(_KINDS[now], text, replica["id"])

    def _changed(self, what: str, now: object, at_first: object = _UNSEEN) -> bool:
        """Whether it differs from the tick before; at the first tick, from `at_first`."""
        before = self._last.get(what, at_first)
        self._last[what] = now
        return before != now

    def _event(self, kind: str, text: str, replica_id: int | None = None, epoch: int | None = None) -> None:
        self._keep(ClusterEvent(time_text(self._utc_now()), kind, text, replica_id, epoch))
