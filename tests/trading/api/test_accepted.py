"""What a caller says and nobody honours is refused by name: on every path, with every method."""

import re

import pytest

from trading.api.accepted import MEANT_HEADERS
from trading.api.api_view import ApiView
from trading.urls import urlpatterns

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ORDER = {"name": "BlueFinch", "type": "buy", "quantity": 3}


@pytest.fixture
def rest(operator):
    """A client that may do everything."""
    return operator


def sample(pattern: str) -> str:
    """A path that a route takes."""
    bare = pattern.removeprefix("^").removesuffix(r"\Z").removesuffix("/?")
    return "/" + re.sub(r"\(\?P<(\w+)>.*?\)(?=/|$)", lambda found: "AAPL" if found[1] == "name" else "2", bare)


ROUTES = [(sample(str(route.pattern)), route.callback.view_class) for route in urlpatterns]
PATHS = [(path, view) for path, view in ROUTES if issubclass(view, ApiView) and path != "/"]
OPERATIONS = [
    (method, path)
    for path, view in [*PATHS, ("/", ROUTES[0][1])]
    for method in METHODS
    if method.lower() in view.http_method_names and hasattr(view(), "get" if method == "HEAD" else method.lower())
]


def problem(response):
    """The code and the fields that an answer names; a HEAD has the code alone."""
    if response.wsgi_request.method == "HEAD":
        return response.status_code, set()
    assert response["Content-Type"] == "application/json"
    return response.status_code, {detail["field"] for detail in response.json()["error"]["details"]}


def refused(method, field, code=400):
    return code, set() if method == "HEAD" else {field}


def test_every_route_is_walked():
    assert len(OPERATIONS) > 35
    assert {("POST", "/orders"), ("POST", "/replicas/2/resync"), ("GET", "/dashboard/charts")} <= set(OPERATIONS)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@pytest.mark.parametrize("query", ["colour=red", "dry_run=true", "idempotency_key=k"])
def test_unknown_parameter_is_named(rest, market, method, path, query):
    response = rest.generic(method, f"{path}?{query}")
    assert problem(response) == refused(method, query.partition("=")[0])


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@pytest.mark.parametrize("header", MEANT_HEADERS)
def test_header_that_is_not_looked_at_is_named(rest, market, method, path, header):
    if (method, path, header) != ("POST", "/orders", "Idempotency-Key"):
        response = rest.generic(method, path, headers={header: "k"})
        assert problem(response) == refused(method, header)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_encoded_body_is_415(rest, market, method, path):
    response = rest.generic(method, path, headers={"Content-Encoding": "gzip"})
    assert problem(response) == refused(method, "Content-Encoding", 415)


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path in OPERATIONS if method != "POST"])
def test_body_of_what_only_reads_is_refused(rest, market, method, path):
    response = rest.generic(method, path, b'{"name": "AAPL"}', content_type="application/json")
    assert problem(response) == refused(method, "body")


@pytest.mark.parametrize("path", [path for path, _view in ROUTES])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_refused_whatever_is_said(rest, market, path, method):
    assert rest.generic(method, f"{path}?colour=red").status_code in (404, 405)


@pytest.mark.parametrize(
    "repeated", ["/orders?type=buy&type=sell", "/stocks?limit=1&limit=2", "/events?types=a&types=b"]
)
def test_parameter_given_twice_is_named(rest, market, repeated):
    field = re.split("[?=]", repeated)[1]
    assert problem(rest.get(repeated)) == (400, {field})


@pytest.mark.parametrize("query", ["client_order_id=k", "Idempotency-Key=k", "dry_run=true"])
def test_order_is_not_placed_under_a_key_in_the_query(rest, market, query):
    answers = [rest.post(f"/orders?{query}", ORDER, format="json") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert answers[0].json()["error"]["outcome"] == "not_executed"
    assert market.placed == []


@pytest.mark.parametrize("headers", [{"X-Idempotency-Key": "k"}, {"Content-Encoding": "gzip"}, {"X-Dry-Run": "true"}])
def test_order_is_not_placed_in_another_way_than_was_asked(rest, market, headers):
    response = rest.post("/orders", ORDER, format="json", headers=headers)
    assert response.status_code in (400, 415)
    assert (response.json()["error"]["details"][0]["field"], market.placed) == (next(iter(headers)), [])


@pytest.mark.parametrize("encoding", ["identity", "Identity", ""])
def test_body_that_is_not_encoded_may_say_so(rest, market, encoding):
    response = rest.post("/orders", ORDER, format="json", headers={"Content-Encoding": encoding})
    assert response.status_code == 201


@pytest.mark.parametrize(
    ("body", "content_type"),
    [('{"dry_run": true}', "application/json"), ("dry_run=true", "application/x-www-form-urlencoded")],
)
def test_resync_takes_no_fields(rest, market, body, content_type):
    response = rest.post("/replicas/2/resync", body, content_type=content_type)
    assert problem(response) == (400, {"dry_run"})


@pytest.mark.parametrize("path", ["/login?colour=red", "/logout?next=/"])
def test_login_takes_no_other_parameters_either(rest, authentication, path):
    method = "POST" if "logout" in path else "GET"
    assert problem(rest.generic(method, path)) == refused(method, re.split("[?=]", path)[1])
    assert rest.get("/login?next=/orders").status_code == 200


LOGIN = [("GET", "/login"), ("HEAD", "/login"), ("POST", "/login"), ("POST", "/logout")]


@pytest.mark.parametrize(("method", "path"), LOGIN)
@pytest.mark.parametrize("header", MEANT_HEADERS)
def test_login_looks_at_none_of_these_headers_either(rest, authentication, method, path, header):
    assert problem(rest.generic(method, path, headers={header: "k"})) == refused(method, header)


@pytest.mark.parametrize(("method", "path"), LOGIN)
def test_login_takes_no_encoded_body_either(rest, authentication, method, path):
    response = rest.generic(method, path, headers={"Content-Encoding": "gzip"})
    assert problem(response) == refused(method, "Content-Encoding", 415)


def test_login_reads_no_body_with_get_either(rest, authentication):
    assert problem(rest.generic("GET", "/login", b"token=t", content_type="text/plain")) == refused("GET", "body")


@pytest.mark.parametrize("path", ["/login", "/logout"])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_login_has_no_other_methods(rest, authentication, path, method):
    assert rest.generic(method, path).status_code == 405
