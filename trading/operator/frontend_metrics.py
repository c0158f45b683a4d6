"""What a frontend counts and measures, for Prometheus: GET /metrics."""

from collections.abc import Iterable

from prometheus_client import Counter, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from common.process.metrics import SECONDS_BUCKETS, Sampled, new_registry
from trading.events.hub import event_hub
from trading.market.order_client import order_client
from trading.market.stock_reader import stock_cache_counts
from trading.replicas.manager import replica_manager

REGISTRY = new_registry()

REQUESTS = Counter(
    "bourse_frontend_requests", "Requests that were answered", ["method", "route", "code"], registry=REGISTRY
)
REQUEST_SECONDS = Histogram(
    "bourse_frontend_request_seconds",
    "Time from a request to its answer (of a stream: to its beginning)",
    ["method", "route"],
    buckets=SECONDS_BUCKETS,
    registry=REGISTRY,
)
ORDERS = Counter(
    "bourse_frontend_orders",
    "POSTed orders by outcome: filled, replayed, not_executed, unknown; and the reason of the last two",
    ["outcome", "reason"],
    registry=REGISTRY,
)
STOCK_READS = Counter(
    "bourse_frontend_stock_reads",
    "Stocks that were read, by the cache's part",
    ["cache"],
    registry=REGISTRY,
)


def _sample() -> Iterable[Metric]:
    """Return what this process's objects know of themselves."""
    gathered = order_client().counts()
    yield CounterMetricFamily("bourse_frontend_order_calls", "PlaceOrders calls that were made", value=gathered.calls)
    yield CounterMetricFamily(
        "bourse_frontend_called_orders", "Orders in these calls, each attempt counted", value=gathered.orders
    )
    yield GaugeMetricFamily(
        "bourse_frontend_waiting_orders", "Orders that wait for the next call", value=gathered.waiting
    )
    known = replica_manager().known
    epoch = known.epoch if known else 0
    yield GaugeMetricFamily("bourse_frontend_epoch", "Epoch that orders are sent to; 0: no leader known", value=epoch)
    yield GaugeMetricFamily(
        "bourse_frontend_event_streams", "Streams of GET /events that are open", value=event_hub().stream_count
    )
    yield from _sample_cache()


def _sample_cache() -> Iterable[Metric]:
    counts = stock_cache_counts()
    if counts is None:
        return
    yield GaugeMetricFamily("bourse_frontend_cache_stocks", "Stocks in the cache", value=counts.stocks)
    yield CounterMetricFamily(
        "bourse_frontend_cache_evictions", "Stocks that made room for others", value=counts.evictions
    )
    yield CounterMetricFamily(
        "bourse_frontend_cache_fills_dropped",
        "Answers of the catalog that were not kept: the stock changed meanwhile",
        value=counts.fills_dropped,
    )
    if counts.watch_age_s is not None:
        yield GaugeMetricFamily(
            "bourse_frontend_watch_age_seconds", "Since the cache last heard what changed", value=counts.watch_age_s
        )


REGISTRY.register(Sampled(_sample))
