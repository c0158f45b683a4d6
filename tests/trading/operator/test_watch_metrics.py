import math

from protos import order_pb2
from tests.trading.fake_cluster import CATALOG, CONFIG, FakeCluster
from trading.operator.watch import Watch
from trading.operator.watch_metrics import WatchMetrics


def test_a_tick_tells_the_state_of_all():
    cluster = FakeCluster()
    cluster.replicas[3].lead(epoch=4)
    cluster.replicas[3].followers = {1: order_pb2.FAULTY, 2: order_pb2.IN_SYNC}
    cluster.replicas[2].last_number = cluster.replicas[3].last_number = 40
    cluster.kill(1)
    metrics = WatchMetrics(CONFIG)
    watch = Watch(CONFIG, cluster.network, 10.0, metrics=metrics)

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"bourse_watch_{name}", labels)

    watch.tick()
    assert (value("has_leader"), value("epoch"), value("catalog_up")) == (1, 4, 1)
    assert [value("health", state=state) for state in ("ok", "degraded", "down")] == [0, 1, 0]
    assert (value("in_sync_replicas"), value("replicas"), value("min_in_sync_replicas")) == (2, 3, 1)
    assert (value("replica_state", replica="1", state="faulty"), value("replica_lag_orders", replica="2")) == (1, 0)
    assert math.isnan(value("replica_lag_orders", replica="1") or 0)
    assert (value("tick_seconds_count"), value("leader_changes_total")) == (1, 0)

    cluster.kill(3)
    watch.tick()
    assert (value("has_leader"), value("leader_changes_total")) == (1, 1)
    cluster.kill(2)
    cluster.network.dead.add(CATALOG)
    watch.tick()
    assert (value("has_leader"), value("catalog_up"), value("health", state="down")) == (0, 0, 1)


def test_resyncs_are_counted_by_result():
    metrics = WatchMetrics(CONFIG)
    metrics.count_resync(True)
    metrics.count_resync(False)
    for result in ("done", "failed"):
        assert metrics.registry.get_sample_value("bourse_watch_resyncs_total", {"result": result}) == 1
