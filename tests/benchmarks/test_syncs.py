import pytest
from prometheus_client import generate_latest

from backends.serving.catalog_metrics import CatalogMetrics
from backends.serving.order_metrics import OrderMetrics
from benchmarks.syncs import missing_syncs, read_syncs


@pytest.mark.parametrize("make", [CatalogMetrics, OrderMetrics])
def test_syncs_are_read_from_a_backends_own_metrics(make: type[CatalogMetrics] | type[OrderMetrics]):
    metrics = make()
    assert read_syncs(generate_latest(metrics.registry).decode()) == 0
    for _ in range(3):
        metrics.note_sync(0.001)
    assert read_syncs(generate_latest(metrics.registry).decode()) == 3


def test_too_few_syncs_are_told():
    before = {"catalog": 5, "order-1": 7}
    assert missing_syncs(before, {"catalog": 7, "order-1": 9}, 2000) == []
    assert missing_syncs(before, {"catalog": 7, "order-1": 9}, 2001) == [
        "catalog synced 2 times, at least 3 are needed",
        "order-1 synced 2 times, at least 3 are needed",
    ]
    [only] = missing_syncs(before, {"catalog": 6, "order-1": 7}, 1)
    assert only.startswith("order-1 synced 0")
