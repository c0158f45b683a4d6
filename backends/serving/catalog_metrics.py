"""What the catalog counts and measures, for Prometheus. The hot path pays for it once a batch, not once a trade."""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Sized
from typing import Protocol

from prometheus_client import Counter, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from common.process.metrics import COUNT_BUCKETS, SECONDS_BUCKETS, Sampled, new_registry
from protos import catalog_pb2


class DecidedBatch(Protocol):
    """What is counted of a batch: a result for each trade that it asked for, how many of them were made, and the
    refusals by reason."""

    @property
    def results(self) -> Sized: ...
    @property
    def trade_count(self) -> int: ...
    @property
    def refused(self) -> Tally[str]: ...


class CatalogMetrics:
    """The metrics of one catalog. Any thread may use it."""

    def __init__(self) -> None:
        self.registry = new_registry()
        self._trades = Counter("bourse_catalog_trades", "Trades that were decided", registry=self.registry)
        self._repeats = Counter(
            "bourse_catalog_repeats", "Trades whose key had its number already", registry=self.registry
        )
        self._refused = Counter(
            "bourse_catalog_refusals", "Trades that were refused", ["reason"], registry=self.registry
        )
        self._batch = Histogram(
            "bourse_catalog_batch_trades", "Trades asked for in a batch", buckets=COUNT_BUCKETS, registry=self.registry
        )
        sync = Histogram(
            "bourse_catalog_journal_sync_seconds",
            "Write and sync of the journal",
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self.note_sync = sync.observe

    def note_batch(self, batch: DecidedBatch) -> None:
        """Count a batch that was decided and applied."""
        asked, made = len(batch.results), batch.trade_count
        self._batch.observe(asked)
        self._trades.inc(made)
        self._repeats.inc(asked - made - batch.refused.total())
        for reason, count in batch.refused.items():
            self._refused.labels(reason).inc(count)

    def sample(self, health: Callable[[], catalog_pb2.CatalogHealthResponse]) -> None:
        """Show what the catalog says of itself, too."""
        self.registry.register(Sampled(lambda: _state(health())))


def _state(health: catalog_pb2.CatalogHealthResponse) -> Iterable[Metric]:
    for name, what, value in (
        ("epoch", "The newest epoch", health.epoch),
        ("leader_id", "The replica that began it; 0: none", health.leader_id),
        ("last_number", "The last transaction number", health.last_number),
        ("halted", "Whether it trades nothing until it is rebuilt", bool(health.halted)),
        ("stalled", "Whether the oldest write or sync under way is older than 2 s", health.stalled),
        ("findings", "What it found wrong with its files and nobody has seen yet", len(health.findings)),
    ):
        yield GaugeMetricFamily(f"bourse_catalog_{name}", what, value=float(value))
