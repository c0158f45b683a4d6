import io

import pytest

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import catalog_pb2, order_pb2
from tests.trading.fake_cluster import CATALOG, CONFIG, FakeCluster
from trading.operator.exits import EXIT_DOWN, EXIT_FAILED, EXIT_OK, EXIT_WORK_LEFT
from trading.operator.verify import run_verify


@pytest.fixture
def cluster():
    cluster = FakeCluster.led_by(3)
    cluster.set_last_number(60)
    cluster.catalog.stocks["ACME"] = catalog_pb2.Stock(name="ACME", initial_quantity=9, quantity=9, price_cents=4135)
    return cluster


def run(cluster):
    out, err = io.StringIO(), io.StringIO()
    code = run_verify(CONFIG, cluster.network, out, err)
    return code, out.getvalue().splitlines(), err.getvalue()


def test_equal_logs_and_stocks_end_with_zero(cluster):
    code, (first, *rest), err = run(cluster)
    assert code == EXIT_OK
    assert first.startswith("orders 1..60, 3.9 KB, ")
    assert rest == [
        "catalog: what the others are compared with",
        "replica 3: equal",
        "replica 2: equal",
        "replica 1: equal",
        "stocks: 1, initial + sells - buys = quantity for each",
    ]
    assert err == "verify: 100% 60/60\n"


def test_a_difference_is_a_failure_and_shows_both_rows(cluster):
    good = cluster.catalog.rows[41].decode().rstrip()
    cluster.replicas[2].rows[41] = cluster.replicas[2].rows[41].replace(b"sell", b"buy")
    code, lines, _ = run(cluster)
    assert code == EXIT_FAILED
    at = lines.index("replica 2: differs first at order 42")
    assert lines[at + 1 : at + 3] == [f"  catalog    {good}", f"  replica 2  {good.replace('sell', 'buy')}"]


def test_stock_that_does_not_add_up_is_a_failure(cluster):
    cluster.catalog.stocks["ACME"].quantity = 8
    code, lines, _ = run(cluster)
    assert code == EXIT_FAILED
    assert lines[-1] == "stocks: ACME: initial + sells - buys is 9 at order 60, the catalog has 8"


def test_a_replica_that_is_away_or_behind_is_work_left(cluster):
    cluster.kill(2)
    cluster.replicas[3].followers[1] = order_pb2.CATCHING_UP
    cluster.replicas[1].last_number = 20
    code, lines, _ = run(cluster)
    assert code == EXIT_WORK_LEFT
    assert lines[3:5] == ["replica 2: not compared: Connection refused", "replica 1: equal up to 20, 40 behind"]


def test_one_in_sync_is_given_the_moment_it_needs(cluster):
    cluster.replicas[2].last_number = 59

    def arrive(_address, _request):
        if cluster.clock.now > 1000.05:
            cluster.replicas[2].last_number = 60

    cluster.network.before = arrive
    assert run(cluster)[0] == EXIT_OK


def test_orders_that_go_on_meanwhile_are_left_out(cluster):
    cluster.set_last_number(50)

    def trade(_address, request):
        if isinstance(request, catalog_pb2.ListTradesRequest | order_pb2.ListRowsRequest):
            cluster.set_last_number(60)

    cluster.network.before = trade
    code, lines, _ = run(cluster)
    assert code == EXIT_OK
    assert lines[0].startswith("orders 1..50, ")


@pytest.mark.parametrize("trouble", ["away", "halted"])
def test_without_the_catalog_the_replicas_are_compared_with_the_longest(cluster, trouble):
    if trouble == "away":
        cluster.network.dead.add(CATALOG)
    else:
        cluster.catalog.halted = "it was rolled back"
    cluster.replicas[1].last_number = 59
    cluster.replicas[2].rows[3] = cluster.replicas[2].rows[3].replace(b"sell", b"buy")
    code, lines, _ = run(cluster)
    assert code == EXIT_FAILED
    assert lines[1] == "replica 3: what the others are compared with"
    assert lines[2].startswith("catalog: not compared: ")
    assert "replica 2: differs first at order 4" in lines
    assert "replica 1: equal up to 59, 1 behind" in lines
    assert lines[-1] == "stocks: not audited: only the catalog knows their quantities"


def test_what_was_found_by_reading_is_told(cluster):
    """The comparison itself may be what finds a flipped byte."""

    replica = cluster.replicas[2]
    handle = replica.handle

    def refuse(request):
        if isinstance(request, order_pb2.ListRowsRequest):
            replica.findings = ["order_database.csv: bytes that were good are no longer: row 4"]
            raise RpcFailure(Reason.HALTED, replica.findings[0])
        return handle(request)

    cluster.network.handlers[CONFIG.replicas[2]] = refuse
    code, lines, _ = run(cluster)
    assert code == EXIT_WORK_LEFT
    assert any(line.startswith("replica 2: not compared: order_database.csv: bytes that were good") for line in lines)
    assert "replica 2 found: order_database.csv: bytes that were good are no longer: row 4" in lines


def test_when_nothing_answers_there_is_nothing_to_compare(cluster):
    cluster.network.dead.add(CATALOG)
    cluster.kill(1, 2, 3)
    assert run(cluster) == (EXIT_DOWN, [], "neither the catalog nor a replica answers\n")


def test_before_the_first_order_all_is_equal(cluster):
    cluster.set_last_number(0)
    code, lines, _ = run(cluster)
    assert code == EXIT_OK
    assert lines[0].startswith("no orders, 0 bytes, ")
