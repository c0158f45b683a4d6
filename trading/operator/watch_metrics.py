"""What the health loop counts and sees, for Prometheus: the one place that knows the state of all processes."""

from prometheus_client import Counter, Gauge, Histogram

from common.process.config import ClusterConfig
from common.process.metrics import SECONDS_BUCKETS, new_registry
from trading.operator.status import DEGRADED, DOWN, OK, in_sync_count, status_data
from trading.replicas.health import TickReport

_STATES = ("in-sync", "catching-up", "lagging", "faulty")


class WatchMetrics:
    """The metrics of one health loop; all of a state are those of its last tick. Used by the thread of the ticks, and
    `count_resync` by any."""

    def __init__(self, config: ClusterConfig) -> None:
        self._config = config
        self._leader: int | None = None
        self.registry = registry = new_registry()
        self._tick_seconds = Histogram(
            "bourse_watch_tick_seconds", "Time of one look at all processes", buckets=SECONDS_BUCKETS, registry=registry
        )
        self._ticked_at = Gauge("bourse_watch_tick_timestamp_seconds", "When the last tick ended", registry=registry)
        self._resyncs = Counter("bourse_watch_resyncs", "Resyncs that ended, by result", ["result"], registry=registry)
        self._leader_changes = Counter(
            "bourse_watch_leader_changes", "Times that another replica led than at the tick before", registry=registry
        )
        self._health = Gauge("bourse_watch_health", "1 for the state of all", ["state"], registry=registry)
        self._has_leader = Gauge("bourse_watch_has_leader", "Whether a replica leads", registry=registry)
        self._epoch = Gauge("bourse_watch_epoch", "The newest epoch that was seen", registry=registry)
        self._in_sync = Gauge("bourse_watch_in_sync_replicas", "Replicas in sync, leader included", registry=registry)
        self._replicas = Gauge("bourse_watch_replicas", "Replicas of the configuration", registry=registry)
        self._needed = Gauge(
            "bourse_watch_min_in_sync_replicas",
            "Replicas that an order needs",
            registry=registry,
        )
        self._catalog_up = Gauge("bourse_watch_catalog_up", "Whether the catalog can trade", registry=registry)
        self._state = Gauge(
            "bourse_watch_replica_state", "1 for the state of a replica", ["replica", "state"], registry=registry
        )
        self._lag = Gauge(
            "bourse_watch_replica_lag_orders",
            "Orders that it lacks; NaN: no answer",
            ["replica"],
            registry=registry,
        )

    def note_tick(self, report: TickReport, seconds: float) -> None:
        """Take in what a tick saw."""
        data = status_data(report.view, self._config)
        self._tick_seconds.observe(seconds)
        self._ticked_at.set_to_current_time()
        for state in (OK, DEGRADED, DOWN):
            self._health.labels(state).set(data["health"] == state)
        self._has_leader.set(data["leader"] is not None)
        self._epoch.set(data["epoch"])
        self._in_sync.set(in_sync_count(data))
        self._replicas.set(len(data["replicas"]))
        self._needed.set(data["min_in_sync"])
        self._catalog_up.set(data["catalog"]["trades"])
        for replica in data["replicas"]:
            for state in _STATES:
                self._state.labels(replica["id"], state).set(replica["state"] == state)
            self._lag.labels(replica["id"]).set(float("nan") if replica["lag"] is None else replica["lag"])
        if data["leader"] not in (None, self._leader):
            self._leader_changes.inc(self._leader is not None)
            self._leader = data["leader"]

    def count_resync(self, succeeded: bool) -> None:
        """Count a resync that has ended."""
        self._resyncs.labels("done" if succeeded else "failed").inc()
