"""`/readyz`: whether orders could be placed now."""

import threading

import pytest

from common.calls.reasons import Reason
from deploy.systems.waiting import wait_until
from protos import order_pb2
from tests.trading.fake_cluster import CATALOG, CONFIG, FakeCluster
from trading.operator import views as operator_views
from trading.operator.look import ClusterLook
from trading.operator.readiness import FRESH_S, Check, Readiness, cluster_checks
from trading.replicas.manager import ReplicaManager

GOOD = [Check("catalog", Reason.CATALOG, ""), Check("leader", Reason.NO_LEADER, "")]
NO_CATALOG = [Check("catalog", Reason.CATALOG, "refused"), Check("leader", Reason.NO_LEADER, "no replica leads")]


class Given:
    """A readiness that was decided by the test."""

    def __init__(self, checks):
        self._checks = checks

    def checks(self):
        return self._checks


@pytest.fixture
def say(monkeypatch):
    return lambda checks: monkeypatch.setattr(operator_views, "readiness", lambda: Given(checks))


@pytest.mark.parametrize("path", ["/readyz", "/readyz/"])
def test_ready_is_200(rest, say, path):
    say(GOOD)
    response = rest.get(path)
    assert response.status_code == 200
    assert response.json() == {"data": {"status": "ready", "checks": {"catalog": "ok", "leader": "ok"}}}


def test_not_ready_is_503_with_the_failed_checks(rest, say):
    say(NO_CATALOG)
    response = rest.get("/readyz")
    error = response.json()["error"]
    assert (response.status_code, error["reason"]) == (503, "CATALOG_UNAVAILABLE")
    assert error["details"] == [
        {"check": "catalog", "message": "refused"},
        {"check": "leader", "message": "no replica leads"},
    ]


def test_probe_that_asks_again_and_again_is_not_logged(rest, say, capsys):
    say(NO_CATALOG)
    for _ in range(9):
        rest.get("/readyz")
    assert capsys.readouterr().err == ""


def test_it_needs_no_token(rest, authentication, say):
    say(GOOD)
    assert rest.get("/readyz").status_code == 200


@pytest.fixture
def cluster():
    return FakeCluster.led_by(2, epoch=4)


def failures(cluster):
    manager = ReplicaManager(CONFIG, cluster.network, cluster.clock)
    return {check.name: check.failure for check in cluster_checks(ClusterLook(manager, cluster.network).look(), CONFIG)}


def test_checks_pass_when_orders_can_be_placed(cluster):
    assert failures(cluster) == {"catalog": "", "leader": "", "replicas": ""}


def test_dead_follower_leaves_it_ready(cluster):
    cluster.kill(1)
    assert set(failures(cluster).values()) == {""}


def test_dead_catalog_and_missing_leader_are_named(cluster):
    cluster.network.dead.add(CATALOG)
    assert failures(cluster)["catalog"] == "Connection refused"
    cluster.replicas[2].role = order_pb2.FOLLOWER
    told = failures(cluster)
    assert (told["leader"], told["replicas"]) == ("no replica leads", "0 of 3 are in sync; 1 must be")


def test_cut_off_from_the_catalog_it_is_ready_while_the_leader_is_not_and_says_so(cluster, rest, say):
    cluster.network.dead.add(CATALOG)
    cluster.replicas[2].hears_catalog = True
    checks = cluster_checks(
        ClusterLook(ReplicaManager(CONFIG, cluster.network, cluster.clock), cluster.network).look(), CONFIG
    )
    say(checks)
    response = rest.get("/readyz")
    assert response.status_code == 200
    told = "this process does not reach it (Connection refused); the leader does"
    assert response.json()["data"]["checks"] == {"catalog": told, "leader": "ok", "replicas": "ok"}


class Looker:
    """Looks when it is let; counts how often."""

    def __init__(self, view):
        self.view = view
        self.looks = 0
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.now = 100.0
        self.readiness = Readiness(self.look, CONFIG, lambda: self.now)

    def look(self):
        self.looks += 1
        assert self.may_go_on.wait(10)
        return self.view


@pytest.fixture
def looker(cluster):
    return Looker(ClusterLook(ReplicaManager(CONFIG, cluster.network, cluster.clock), cluster.network).look())


def test_one_look_serves_all_that_ask_within_a_second(looker):
    for _ in range(10):
        looker.readiness.checks()
    assert looker.looks == 1
    looker.now += FRESH_S
    looker.readiness.checks()
    assert looker.looks == 2


def test_threads_that_ask_at_once_share_one_look(looker):
    looker.may_go_on.clear()
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(looker.readiness.checks())) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: looker.looks == 1, 5, "a look")
    looker.may_go_on.set()
    for thread in threads:
        thread.join(10)
    assert looker.looks == 1
    assert [[check.failure for check in checks] for checks in answers] == [["", "", ""]] * 8


def test_who_waits_for_a_look_that_takes_too_long_is_told_so(looker, monkeypatch):
    monkeypatch.setattr("trading.operator.readiness.WAIT_S", 0.05)
    looker.may_go_on.clear()
    thread = threading.Thread(target=looker.readiness.checks)
    thread.start()
    wait_until(lambda: looker.looks == 1, 5, "a look")
    assert looker.readiness.checks()[0].failure == "looking at the cluster takes too long"
    looker.may_go_on.set()
    thread.join(10)


def test_look_that_fails_is_not_kept(looker, monkeypatch):
    good, looker.view = looker.view, None
    with pytest.raises(AttributeError):
        looker.readiness.checks()
    looker.view = good
    assert [check.failure for check in looker.readiness.checks()] == ["", "", ""]
