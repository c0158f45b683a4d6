from backends.serving.order_metrics import OrderMetrics
from protos import order_pb2
from tests.backends.order.direct import buy


def test_a_turn_of_the_leader_is_counted(led):
    metrics = led.metrics[3]
    metrics.sample(led.replicas[3].health)

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"bourse_replica_{name}", labels)

    led.submit(3, buy("a", 1), buy("b", 1), buy("c", 1000))
    assert value("pending_orders") == 3
    led.turn(3)
    led.turn(3)  # with nothing to do
    assert value("pending_orders") == 0
    assert value("orders_total") == 2
    assert value("refusals_total", reason="INSUFFICIENT_STOCK") == 1
    assert (value("batch_orders_count"), value("batch_orders_sum")) == (1, 3)
    assert [value("stage_seconds_count", stage=stage) for stage in ("decide", "replicate", "whole")] == [1, 1, 1]
    assert (value("is_leader"), value("epoch"), value("last_number"), value("halted")) == (1, 1, 2, 0)
    assert value("follower_lag_orders", follower="1") == 0
    assert value("follower_state", follower="1", state="in_sync") == 1
    assert value("follower_state", follower="1", state="faulty") == 0


def test_what_a_follower_says_of_itself():
    metrics = OrderMetrics()
    metrics.sample(
        lambda: order_pb2.HealthCheckResponse(role=order_pb2.FOLLOWER, halted="why", stalled=True, findings=["a", "b"])
    )
    names = ("is_leader", "halted", "stalled", "catalog_reachable", "findings")
    assert [metrics.registry.get_sample_value(f"bourse_replica_{name}") for name in names] == [0, 1, 1, 0, 2]
