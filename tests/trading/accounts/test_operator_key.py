"""While there are no accounts, what operators change needs the key, from loopback too; what they read does not."""

import pytest
from rest_framework.test import APIClient

POSTS = [("/replicas/switchover", {"to": 1}), ("/replicas/2/resync", None)]


@pytest.fixture(autouse=True)
def cluster(operated_cluster):
    return operated_cluster


@pytest.fixture
def browser(market) -> APIClient:
    return APIClient(headers={"Accept": "text/html,*/*;q=0.8"})


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(("path", "body"), POSTS)
@pytest.mark.parametrize(
    "headers", [{}, bearer("wrong"), bearer(""), {"Authorization": "Basic abc"}, {"Cookie": "a=b"}]
)
def test_loopback_alone_changes_nothing(rest, cluster, path, body, headers):
    response = rest.post(path, body, format="json", headers=headers)
    error = response.json()["error"]
    assert (response.status_code, error["reason"]) == (403, "PERMISSION_DENIED")
    assert "operator_key" in error["message"]
    assert rest.get("/replicas").json()["data"]["leader"] == 3
    assert rest.get("/replicas/2/resync").status_code == 404


@pytest.mark.parametrize(("path", "body"), POSTS)
def test_key_operates(rest, settings, path, body):
    assert rest.post(path, body, format="json", headers=bearer(settings.OPERATOR_KEY)).status_code < 300


@pytest.mark.parametrize(("path", "body"), POSTS)
@pytest.mark.parametrize("way", [{"REMOTE_ADDR": "10.0.0.7"}, {"HTTP_X_FORWARDED_FOR": "10.0.0.7"}])
def test_key_does_not_operate_from_elsewhere(rest, settings, path, body, way):
    assert rest.post(path, body, format="json", headers=bearer(settings.OPERATOR_KEY), **way).status_code == 403


def test_with_accounts_the_key_is_a_token_like_any_other(rest, settings, token):
    headers = bearer(settings.OPERATOR_KEY)
    assert rest.post("/replicas/switchover", {"to": 1}, format="json", headers=headers).status_code == 401
    operator = token("op", "operator")
    assert rest.post("/replicas/switchover", {"to": 1}, format="json", headers=operator).status_code == 200


def test_address_with_the_key_makes_the_browser_an_operator(browser, settings):
    page = browser.get("/replicas").content.decode()
    assert "<button" not in page
    assert "make run" in page
    assert browser.post("/replicas/switchover", {"to": "1"}, format="multipart").status_code == 403

    answer = browser.get(f"/?token={settings.OPERATOR_KEY}")
    assert (answer.status_code, answer["Location"], answer["Cache-Control"]) == (303, "/", "no-store")
    (cookie,) = answer.cookies.values()
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")

    assert browser.get("/").status_code == 200
    assert "Make replica 1 the leader" in browser.get("/replicas").content.decode()
    assert browser.post("/replicas/switchover", {"to": "1"}, format="multipart").status_code == 200


def test_cookie_is_not_the_key_and_counts_as_a_cookie_alone(browser, rest, settings):
    """A browser brings it to every port of this host, so to other people's servers too."""
    (cookie,) = browser.get(f"/?token={settings.OPERATOR_KEY}").cookies.values()
    assert settings.OPERATOR_KEY not in cookie.value
    headers = bearer(cookie.value)
    assert rest.post("/replicas/switchover", {"to": 1}, format="json", headers=headers).status_code == 403
    assert browser.get(f"/?token={cookie.value}").status_code == 403
    browser.cookies[cookie.key] = settings.OPERATOR_KEY
    assert browser.post("/replicas/switchover", {"to": "1"}, format="multipart").status_code == 403


@pytest.mark.parametrize("query", ["token=wrong", "token=", "token=%ff"])
def test_address_with_another_key_is_refused(browser, query):
    answer = browser.get(f"/?{query}")
    assert (answer.status_code, list(answer.cookies)) == (403, [])


@pytest.mark.parametrize("way", [{"REMOTE_ADDR": "10.0.0.7"}, {"HTTP_X_REAL_IP": "10.0.0.7"}])
def test_address_with_the_key_makes_no_operator_of_somebody_elsewhere(browser, settings, way):
    answer = browser.get(f"/?token={settings.OPERATOR_KEY}", **way)
    assert (answer.status_code, list(answer.cookies)) == (403, [])


def test_foreign_page_does_not_operate_with_the_reader_s_cookie(browser, settings):
    browser.get(f"/?token={settings.OPERATOR_KEY}")
    foreign = {"Origin": "http://testserver:9999"}
    answer = browser.post("/replicas/switchover", {"to": "1"}, format="multipart", headers=foreign)
    assert answer.status_code == 403


def test_with_accounts_the_address_takes_no_key(rest, settings, token):
    answer = rest.get(f"/?token={settings.OPERATOR_KEY}", headers=token("op", "operator"))
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, "token")
