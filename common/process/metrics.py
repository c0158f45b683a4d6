"""Metrics of one process for Prometheus: its registry, its sampled values, and the port that shows them.

Names, labels and meanings of all metrics: docs/METRICS.md. Labels have few values, known beforehand: never a stock, a
key or an account.
"""

import os
from collections.abc import Callable, Iterable

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from common.process.config import ConfigError, parse_address

METRICS_VARIABLE = "BOURSE_METRICS"
METRICS_HELP = f"show Prometheus metrics at this HTTP address (default: {METRICS_VARIABLE}; none: do not)"

# A series more for each counter and histogram: the time when it was made, which nobody looks at.
disable_created_metrics()  # type: ignore[no-untyped-call]

# Seconds: from a sync of a fast disk to the 8 s that an order may take.
SECONDS_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
COUNT_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def new_registry() -> CollectorRegistry:
    """Return a registry with what Prometheus's client tells of any process: CPU, memory, open files, start time."""
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    return registry


class Sampled(Collector):
    """Metrics whose values are looked at when somebody asks, all of one moment."""

    def __init__(self, sample: Callable[[], Iterable[Metric]]) -> None:
        """`sample` may be called by any thread."""
        self._sample = sample

    def collect(self) -> Iterable[Metric]:
        """Return the metrics as they are now."""
        return self._sample()


def show_metrics(given: str | None, registry: CollectorRegistry) -> str | None:
    """Answer GET with the metrics, at any path, in threads of its own until this process ends.

    At `given`, the option --metrics, or else at BOURSE_METRICS; nowhere if both are empty. Returns where.

    Raises:
        ConfigError: it is not host:port, or cannot be listened on.
    """
    name = "--metrics" if given else METRICS_VARIABLE
    text = given or os.environ.get(METRICS_VARIABLE)
    if not text:
        return None
    host, _, port = parse_address(text, name=name).rpartition(":")
    try:
        server, _thread = start_http_server(int(port), host.strip("[]"), registry)
    except OSError as error:
        raise ConfigError(f"{name}: cannot listen on {text}: {error.strerror}") from error
    return f"{host}:{server.server_port}"
