"""What a replica counts and measures, for Prometheus. The hot path pays for it once a batch, not once an order."""

from collections.abc import Callable, Iterable

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from common.process.metrics import COUNT_BUCKETS, SECONDS_BUCKETS, Sampled, new_registry
from protos import order_pb2

_STATES = {order_pb2.IN_SYNC: "in_sync", order_pb2.CATCHING_UP: "catching_up", order_pb2.FAULTY: "faulty"}


class OrderMetrics:
    """The metrics of one replica: observes its leaderships (LeaderObserver). Any thread may use it."""

    def __init__(self) -> None:
        self.registry = new_registry()
        self._committed = Counter(
            "bourse_replica_orders", "Orders that this replica answered as leader, committed", registry=self.registry
        )
        self._refused = Counter(
            "bourse_replica_refusals", "Orders that the catalog refused", ["reason"], registry=self.registry
        )
        self._batch = Histogram(
            "bourse_replica_batch_orders", "Orders of a batch", buckets=COUNT_BUCKETS, registry=self.registry
        )
        stages = Histogram(
            "bourse_replica_stage_seconds",
            "Time of a batch in one stage",
            ["stage"],
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._decide, self._replicate, self._whole = map(stages.labels, ("decide", "replicate", "whole"))
        sync = Histogram(
            "bourse_replica_log_sync_seconds",
            "Write and sync of the log",
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self.note_sync = sync.observe
        pending = Gauge(
            "bourse_replica_pending_orders", "Orders taken by this leader and not answered yet", registry=self.registry
        )
        self.watch_pending = pending.set_function

    def note_decided(self, orders: int, seconds: float) -> None:
        """Count a batch that the catalog answered, `seconds` after it was first sent."""
        self._batch.observe(orders)
        self._decide.observe(seconds)

    def note_refused(self, reason: str) -> None:
        """Count an order that was refused."""
        self._refused.labels(reason).inc()

    def note_replicated(self, seconds: float) -> None:
        """Count a batch that the own log and all followers in sync took, or left out, in this time."""
        self._replicate.observe(seconds)

    def note_committed(self, orders: int, oldest_s: float) -> None:
        """Count orders that were answered together; the oldest was taken in `oldest_s` seconds ago."""
        self._committed.inc(orders)
        self._whole.observe(oldest_s)

    def sample(self, health: Callable[[], order_pb2.HealthCheckResponse]) -> None:
        """Show what the replica says of itself, too."""
        self.registry.register(Sampled(lambda: _state(health())))


def _state(health: order_pb2.HealthCheckResponse) -> Iterable[Metric]:
    for name, what, value in (
        ("is_leader", "Whether this replica leads", health.role == order_pb2.LEADER),
        ("epoch", "The highest epoch that it has seen", health.epoch),
        ("last_number", "The last transaction number in its log", health.last_number),
        ("halted", "Whether it trades nothing until an operator acts", bool(health.halted)),
        ("stalled", "Whether the oldest write or sync under way is older than 2 s", health.stalled),
        ("findings", "What it found wrong with its files and nobody has seen yet", len(health.findings)),
        ("catalog_reachable", "Whether the catalog answered its last call", health.catalog_reachable),
    ):
        yield GaugeMetricFamily(f"bourse_replica_{name}", what, value=float(value))
    lag = GaugeMetricFamily("bourse_replica_follower_lag_orders", "Orders that a follower lacks", labels=["follower"])
    state = GaugeMetricFamily(
        "bourse_replica_follower_state", "1 for the state that a follower is in", labels=["follower", "state"]
    )
    for follower in health.followers:
        lag.add_metric([str(follower.replica_id)], follower.lag_orders)
        for number, text in _STATES.items():
            state.add_metric([str(follower.replica_id), text], float(follower.state == number))
    yield lag
    yield state
