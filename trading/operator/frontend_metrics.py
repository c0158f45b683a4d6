"""GET /metrics: what is counted of each request, and what this process's clients, cache and manager know.

Apart from the view, because what is shown is registered when this is imported.
"""

from collections.abc import Iterable

from prometheus_client import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from common.process.metrics import Sampled
from trading.api.request_metrics import REGISTRY
from trading.market.order_client import order_client
from trading.reads.stock_reader import stock_cache_counts
from trading.replicas.manager import replica_manager


def metrics_text() -> bytes:
    """Return all metrics of this process in the text format of Prometheus."""
    return generate_latest(REGISTRY)


def _sample() -> Iterable[Metric]:
    """Return what they know now, all of one moment."""
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
