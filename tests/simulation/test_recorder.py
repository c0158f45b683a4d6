"""What the clients of a run are told goes to the checker of histories, which finds nothing wrong, and can."""

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import catalog_pb2
from tests.checker.history import JOURNAL
from tests.simulation.cluster import SimulatedCluster
from tests.simulation.nodes import FIRST_QUANTITY, STOCKS
from tests.simulation.questions import LookUpOrder
from tests.simulation.recorder import Recorder


def finished_run(seed: int) -> SimulatedCluster:
    cluster = SimulatedCluster(seed)
    cluster.run()
    return cluster


def violations(cluster: SimulatedCluster, recorder: Recorder) -> list[str]:
    files = {node.name: cluster.disk.seen(node.log_path) for node in cluster.replicas}
    files[JOURNAL] = cluster.disk.seen(cluster.catalog.log_path)
    cluster_id = cluster.catalog.catalog.cluster_id if cluster.catalog.catalog else ""
    found = recorder.find_violations(cluster_id, dict.fromkeys(STOCKS, FIRST_QUANTITY), files)
    return [violation.message for violation in found]


def first_order(cluster: SimulatedCluster) -> catalog_pb2.NewOrder:
    row = cluster.history.rows[0]
    return catalog_pb2.NewOrder(
        stock_name=row.stock_name,
        order_type=catalog_pb2.BUY if row.order_type == "buy" else catalog_pb2.SELL,
        quantity=row.quantity,
        idempotency_key=row.idempotency_key,
    )


def not_executed() -> RpcFailure:
    refusal = RpcFailure(Reason.NO_LEADER, "no leader")
    refusal.was_sent = False
    return refusal


def test_an_order_that_is_denied_behind_its_acknowledgement_is_found():
    cluster = finished_run(seed=1)
    assert violations(cluster, cluster.recorder) == []
    at = (cluster.world.now, cluster.world.now)
    denied = RpcFailure(Reason.UNKNOWN_ORDER, "there is no order 1")
    cluster.recorder.take_in("front-1", at, LookUpOrder(1), denied)
    assert any("there is no order 1" in text for text in violations(cluster, cluster.recorder))


def test_an_order_that_no_client_has_asked_for_is_found():
    cluster = finished_run(seed=1)
    number = min(cluster.history.acked.values())
    found = violations(cluster, Recorder())
    assert any(f"number={number}" in text for text in found)


def test_an_order_that_was_refused_and_is_in_the_journal_is_found():
    cluster = finished_run(seed=1)
    wanted = first_order(cluster)
    recorder = Recorder()
    recorder.take_in("front-1", (0.0, 1.0), wanted, not_executed())
    assert any("it is order 1" in text for text in violations(cluster, recorder))


def test_an_order_that_was_not_executed_for_one_client_may_be_that_of_a_request_without_an_answer():
    cluster = finished_run(seed=1)
    wanted = first_order(cluster)
    recorder = Recorder()
    recorder.take_in_order("front-2", 0.5, wanted)
    recorder.take_in_order("front-1", 0.0, wanted)
    recorder.take_in("front-1", (0.0, 1.0), wanted, not_executed())
    assert not any("it is order 1" in text for text in violations(cluster, recorder))
