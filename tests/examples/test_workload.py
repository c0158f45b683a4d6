"""A tiny workload against real processes."""

import math

from examples.workload.runs import Plan, Results, hit_rate, percentile, run_timeline, stock_names, summary
from examples.workload.traders import trade
from tests.harness.cluster import Cluster


def test_clients_look_up_trade_and_check_their_orders(shared_cluster: Cluster):
    url = f"http://{shared_cluster.rest.address}"
    names = stock_names(url)
    assert names == sorted(shared_cluster.initial)
    results = Results()
    samples = results.take(trade(url, names[:20], clients=3, probability=0.5, seconds=1, seed=1))
    orders = [sample for sample in samples if sample.what == "order"]
    assert results.checked == sum(sample.result == "placed" for sample in orders) > 0
    assert results.wrong == []
    assert shared_cluster.rest.get("/orders?limit=1").json()["page"]["latest"] == results.checked
    assert 0 < hit_rate(samples) < 1
    assert "look-ups, median" in summary(samples)
    assert "orders, median" in summary(samples)


def test_order_that_is_not_as_it_was_acknowledged_is_noticed(shared_cluster: Cluster, monkeypatch):
    from examples.client import Client

    real = Client.order
    monkeypatch.setattr(Client, "order", lambda self, number: real(self, max(1, number - 1)))
    url = f"http://{shared_cluster.rest.address}"
    results = Results()
    results.take(trade(url, stock_names(url)[:2], clients=1, probability=1.0, seconds=0.5, seed=1))
    assert len(results.wrong) >= results.checked - 1 > 0


def test_leader_is_killed_on_a_system_of_its_own():
    said: list[str] = []
    results = Results()
    plan = Plan(clients=2, timeline_s=5.0, kill_at_s=0.5)
    run_timeline(plan, results, None, said.append)
    marks = [what for _at_s, what in results.marks]
    killed = next(id_ for id_ in (1, 2, 3) if f"leader {id_} killed" in marks)
    after = marks[marks.index(f"leader {killed} killed") :]
    assert any(f"{id_} leads" in after for id_ in (1, 2, 3) if id_ != killed)
    assert results.checked > 0
    assert results.wrong == []
    assert said[-1].startswith("timeline: ")


def test_percentiles_are_measured_values():
    assert [percentile([3.0, 1.0, 2.0, 4.0], share) for share in (0.0, 0.5, 0.99, 1.0)] == [1.0, 2.0, 4.0, 4.0]
    assert math.isnan(percentile([], 0.5))
