import io
import json

import pytest

from common.calls.reasons import Reason
from protos import order_pb2
from tests.trading.fake_cluster import CATALOG, CONFIG, FakeCluster
from tests.trading.fake_network import refusal
from trading.operator.exits import EXIT_DOWN, EXIT_FAILED, EXIT_OK, EXIT_WORK_LEFT, UsageError
from trading.operator.operating import StatusCommand, show_leader, switch_leader, wait_for


@pytest.fixture
def cluster():
    return FakeCluster.with_one_behind()


class Terminal(io.StringIO):
    def isatty(self):
        return True


def status(cluster, form="table"):
    out = io.StringIO()
    return StatusCommand(CONFIG, cluster.network, form, out).show(), out.getvalue()


def test_status_ends_with_a_code_for_scripts(cluster):
    code, out = status(cluster, "json")
    assert code == EXIT_WORK_LEFT
    assert json.loads(out)["health"] == "degraded"
    cluster.replicas[3].followers[1] = order_pb2.IN_SYNC
    assert status(cluster)[0] == EXIT_OK
    cluster.kill(3)
    assert status(cluster)[0] == EXIT_DOWN


def test_status_in_tabs_has_a_field_for_each_of_the_json(cluster):
    cluster.kill(2)
    header, leader, dead, lagging = [line.split("\t") for line in status(cluster, "tsv")[1].splitlines()]
    assert header == ["id", "address", "role", "state", "last_number", "lag", "rtt_ms", "last_seen", "error"]
    assert leader[:6] == ["3", "order:3", "leader", "in-sync", "40", "0"]
    assert dead == ["2", "order:2", "", "faulty", "", "", "", "", "Connection refused"]
    assert lagging[4:6] == ["20", "20"]


@pytest.mark.parametrize("out", [io.StringIO(), Terminal()], ids=["file", "terminal"])
def test_status_is_shown_anew_until_interrupted(cluster, out):
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        cluster.replicas[3].last_number += 100
        if len(pauses) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        StatusCommand(CONFIG, cluster.network, "table", out).watch(2.0, pause)
    assert pauses == [2.0, 2.0, 2.0]
    assert all(f"last {number}" in out.getvalue() for number in (40, 140, 240))


def test_the_leader_alone_is_printed_for_scripts(cluster):
    out, err = io.StringIO(), io.StringIO()
    assert show_leader(CONFIG, cluster.network, out, err) == EXIT_OK
    assert (out.getvalue(), err.getvalue()) == ("3\n", "")
    cluster.kill(3)
    assert show_leader(CONFIG, cluster.network, out, err) == EXIT_DOWN
    assert (out.getvalue(), err.getvalue()) == ("3\n", "no replica leads\n")


def wait(cluster, aim, timeout_s=10.0, happens=lambda: None):
    out, err = io.StringIO(), io.StringIO()

    def pause(seconds):
        cluster.clock.now += seconds
        happens()

    code = wait_for(CONFIG, cluster.network, aim, timeout_s, out, err, monotonic=cluster.clock, pause=pause)
    return code, out.getvalue(), err.getvalue()


def test_waiting_ends_as_soon_as_all_are_in_sync(cluster):
    def catch_up():
        if cluster.clock.now > 1005:
            cluster.replicas[3].followers[1] = order_pb2.IN_SYNC

    assert wait(cluster, "in-sync", happens=catch_up) == (EXIT_OK, "leader 3, in sync 3/3 at 40\n", "")
    assert cluster.clock.now < 1006


def test_waiting_for_a_leader_needs_no_more_than_that(cluster):
    assert wait(cluster, "leader") == (EXIT_OK, "leader 3, in sync 2/3 at 40\n", "")
    cluster.kill(3)
    code, _, err = wait(cluster, "leader", happens=lambda: cluster.replicas[2].lead(epoch=2))
    assert (code, err) == (EXIT_OK, "")


def test_waiting_in_vain_says_what_is_missing(cluster):
    assert wait(cluster, "in-sync") == (EXIT_WORK_LEFT, "", "not within 10 s: in sync 2/3 at 40\n")
    cluster.kill(3)
    code, _, err = wait(cluster, "in-sync", 0.0)
    assert (code, err) == (EXIT_DOWN, "not within 0 s: in sync 0/3 at 40; no replica leads\n")
    cluster.network.dead.add(CATALOG)
    assert wait(cluster, "leader", 0.0)[2].endswith("; Connection refused\n")


def switch(cluster, to=None, hold_s=600):
    out, err = io.StringIO(), io.StringIO()
    return switch_leader(CONFIG, cluster.network, to, hold_s, out, err), out.getvalue(), err.getvalue()


def test_a_switchover_says_who_leads_and_how_long_that_holds(cluster):
    code, out, err = switch(cluster, 2)
    assert (code, err) == (EXIT_OK, "")
    assert out.startswith("replica 2 leads, epoch 2; before it replica 3, epoch 1; ")
    assert out.endswith(" s; held for 600 s\n")
    assert switch(cluster, 2) == (EXIT_OK, "replica 2 leads already, epoch 2\n", "")
    assert "held" not in switch(cluster, 3, hold_s=0)[1]


def test_a_switchover_that_is_refused_has_a_code_for_its_cause(cluster):
    code, out, err = switch(cluster, 1)
    assert (code, out) == (EXIT_WORK_LEFT, "")
    assert "`replicas resync 1` first" in err
    cluster.replicas[2].assign_refusal = refusal(Reason.PROMOTING)
    assert switch(cluster, 2) == (EXIT_FAILED, "", "refused: PROMOTING\n")
    cluster.network.dead.add(CATALOG)
    assert switch(cluster, 2)[0] == EXIT_DOWN
    with pytest.raises(UsageError, match="replica 9"):
        switch(cluster, 9)
