"""POST /replicas/{id}/resync and POST /replicas/switchover."""

import re

import pytest
from rest_framework.test import APIClient

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from tests.trading.fake_cluster import CATALOG
from trading.operator import services


@pytest.fixture
def rest(operator):
    """A client that may operate."""
    return operator


@pytest.fixture
def cluster(operated_cluster):
    return operated_cluster


def told(response):
    error = response.json()["error"]
    return response.status_code, error["reason"]


def test_resync_is_accepted_as_a_job_that_can_be_looked_at(rest, cluster):
    response = rest.post("/replicas/2/resync")
    assert (response.status_code, response["Location"]) == (202, "/replicas/2/resync")
    job = response.json()["data"]
    assert job["replica"] == 2
    assert rest.get("/replicas/2/resync").json()["data"]["id"] == job["id"]


def test_what_was_found_in_the_files_is_in_the_data_and_on_the_page(rest, cluster):
    cluster.replicas[1].findings = ["order_database.csv: row 8 was damaged"]
    cluster.catalog.findings = ["catalog_epochs.csv was damaged"]
    data = rest.get("/replicas").json()["data"]
    assert data["catalog"]["findings"] == ["catalog_epochs.csv was damaged"]
    assert [one["findings"] for one in data["replicas"]] == [[], [], ["order_database.csv: row 8 was damaged"]]
    page = rest.get("/replicas", headers={"Accept": "text/html"}).content.decode()
    assert "Found: order_database.csv: row 8 was damaged" in page
    assert "Catalog found: catalog_epochs.csv was damaged" in page


def test_resync_that_cannot_begin_is_refused(rest, cluster):
    assert told(rest.post("/replicas/9/resync")) == (404, "REPLICA_NOT_FOUND")
    assert told(rest.post("/replicas/3/resync")) == (409, "REPLICA_LEADS")
    assert told(rest.get("/replicas/1/resync")) == (404, "JOB_NOT_FOUND")
    cluster.kill(3)
    assert told(rest.post("/replicas/2/resync")) == (503, "NO_LEADER")


@pytest.mark.parametrize("replica_id", ["0", "x", "01", "1001", "-1"])
def test_what_is_no_replica_id_is_400(rest, cluster, replica_id):
    assert told(rest.post(f"/replicas/{replica_id}/resync")) == (400, "VALIDATION_FAILED")


def test_switchover_answers_with_the_new_leader(rest, cluster):
    response = rest.post("/replicas/switchover", {"to": 1}, format="json")
    assert response.status_code == 200
    data = response.json()["data"]
    assert (data["leader"], data["previous_leader"]) == (1, 3)
    assert data["epoch"] > 4


def test_switchover_to_the_leader_changes_nothing(rest, cluster):
    data = rest.post("/replicas/switchover", {"to": 3}, format="json").json()["data"]
    assert data == {"leader": 3, "epoch": 4, "previous_leader": 3}


def test_target_that_lags_is_409_and_the_leader_goes_on(rest, cluster):
    cluster.replicas[3].followers = {1: 2, 2: 1}
    response = rest.post("/replicas/switchover", {"to": 1}, format="json")
    assert told(response) == (409, "TARGET_NOT_IN_SYNC")
    assert response.json()["error"]["details"] == [{"field": "to"}]


def test_switchover_without_a_leader_or_a_catalog_is_503(rest, cluster):
    cluster.network.dead.add(CATALOG)
    assert told(rest.post("/replicas/switchover", {"to": 1}, format="json")) == (503, "CATALOG_UNAVAILABLE")


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (Reason.FENCED, (503, "NO_LEADER")),
        (Reason.PROMOTING, (503, "NO_LEADER")),
        (Reason.BACKFILLING, (409, "TARGET_NOT_IN_SYNC")),
        (Reason.UNREACHABLE, (409, "TARGET_NOT_IN_SYNC")),
        (Reason.CATALOG, (503, "CATALOG_UNAVAILABLE")),
        (Reason.HALTED, (503, "HALTED")),
        (Reason.NO_ANSWER, (504, "OUTCOME_UNKNOWN")),
    ],
)
def test_what_the_target_answers_is_told_in_our_words(rest, cluster, monkeypatch, reason, expected):
    def fail(*_):
        raise RpcFailure(reason, "it said so")

    monkeypatch.setattr(services, "switch_over", fail)
    assert told(rest.post("/replicas/switchover", {"to": 1}, format="json")) == expected


@pytest.mark.parametrize("body", [{}, {"to": "1"}, {"to": 0}, {"to": True}, {"to": 1, "now": 1}, [], {"to": 1001}])
def test_body_that_names_no_replica_is_400(rest, cluster, body):
    assert told(rest.post("/replicas/switchover", body, format="json")) == (400, "VALIDATION_FAILED")


@pytest.mark.parametrize("path", ["/replicas/2/resync", "/replicas/switchover"])
def test_only_operators_may(rest, cluster, path):
    assert told(rest.post(path, {"to": 1}, format="json", REMOTE_ADDR="10.0.0.7")) == (403, "PERMISSION_DENIED")


def test_traders_may_not(rest, cluster, token):
    headers = token("ann")
    assert told(rest.post("/replicas/switchover", {"to": 1}, format="json", headers=headers))[0] == 403
    operator = token("op", "operator")
    assert rest.post("/replicas/switchover", {"to": 1}, format="json", headers=operator).status_code == 200


@pytest.fixture
def browser(cluster, settings):
    """A client that asks for HTML and sends forms; it has opened the address that `make run` prints."""
    client = APIClient(enforce_csrf_checks=True, headers={"Accept": "text/html,*/*;q=0.8"})
    client.get(f"/?token={settings.OPERATOR_KEY}")
    return client


def buttons(page):
    return re.findall(r'<button[^>]* aria-label="([^"]+)"', page)


def test_page_of_the_replicas_has_buttons_for_each_follower(browser):
    assert buttons(browser.get("/replicas").content.decode()) == [
        "Resync replica 2",
        "Make replica 2 the leader",
        "Resync replica 1",
        "Make replica 1 the leader",
    ]


def test_buttons_are_forms_that_operate(browser):
    page = browser.post("/replicas/switchover", {"to": "1", "csrfmiddlewaretoken": "t"}, format="multipart")
    assert page.status_code == 200
    assert '<a href="/replicas">Replicas</a>' in page.content.decode()
    assert "Resync replica 3" in buttons(browser.get("/replicas").content.decode())
    page = browser.post("/replicas/2/resync", {"csrfmiddlewaretoken": "t"}, format="multipart")
    assert page.status_code == 202
    assert '<a href="/replicas/2/resync">Look at replica 2 again</a>' in page.content.decode()


def test_page_of_a_resync_that_was_never_made_can_begin_one(browser):
    response = browser.get("/replicas/2/resync")
    page = response.content.decode()
    assert response.status_code == 404
    assert '<form method="post" action="/replicas/2/resync">' in page
    assert "JOB_NOT_FOUND" in page


def test_refused_operation_is_told_with_a_way_back(browser, cluster):
    cluster.replicas[3].followers = {1: 2, 2: 1}
    page = browser.post("/replicas/switchover", {"to": "1"}, format="multipart").content.decode()
    assert "TARGET_NOT_IN_SYNC" in page
    assert '<a href="/replicas">Replicas</a>' in page
