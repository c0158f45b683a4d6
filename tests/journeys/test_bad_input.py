"""What a client may get wrong has its own code and reason, through the real server; never a 500."""

import json
import socket
from typing import Any

import pytest

from tests.harness.cluster import Cluster

GOOD = {"name": "A00.T", "type": "buy", "quantity": 1}


def error_of(response: Any) -> tuple[int, str]:
    """Return code and reason of an error answer, after checking its shape."""
    error = response.json()["error"]
    assert error["code"] == response.status_code
    assert isinstance(error["message"], str)
    assert isinstance(error["details"], list)
    return error["code"], error["reason"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"quantity": True}, "quantity"),
        ({"quantity": 1.5}, "quantity"),
        ({"quantity": 1.0}, "quantity"),
        ({"quantity": "3"}, "quantity"),
        ({"quantity": None}, "quantity"),
        ({"quantity": [1]}, "quantity"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": -1}, "quantity"),
        ({"quantity": 10**9 + 1}, "quantity"),
        ({"quantity": 2**64}, "quantity"),
        ({"type": "short"}, "type"),
        ({"type": "BUY"}, "type"),
        ({"type": 1}, "type"),
        ({"name": "two words"}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": "50%"}, "name"),
        ({"name": "Zürich"}, "name"),
        ({"name": ""}, "name"),
        ({"name": "N" * 10_000}, "name"),
        ({"name": 7}, "name"),
        ({"prize": 3}, "prize"),
        ({"client_order_id": "no spaces allowed"}, "client_order_id"),
        ({"client_order_id": "k" * 65}, "client_order_id"),
    ],
)
def test_wrong_field_is_400_and_named(shared_cluster: Cluster, change: dict[str, Any], field: str):
    response = shared_cluster.rest.request("POST", "/orders", json=GOOD | change)
    assert error_of(response) == (400, "VALIDATION_FAILED")
    assert response.json()["error"]["outcome"] == "not_executed"
    assert field in {detail.get("field") for detail in response.json()["error"]["details"]}


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
@pytest.mark.parametrize("head", ["HTTP/1.0\r\n", "HTTP/1.1\r\nHost: 10.0.0.9:8081\r\nConnection: close\r\n"])
def test_probe_that_knows_no_name_of_the_site_is_answered(shared_cluster: Cluster, path: str, head: str):
    host, port = shared_cluster.rest.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"GET {path} {head}\r\n".encode())
        assert connection.recv(100).split(b" ")[1] == b"200"


@pytest.mark.parametrize("field", ["name", "type", "quantity"])
def test_missing_field_is_400_and_named(shared_cluster: Cluster, field: str):
    body = {name: value for name, value in GOOD.items() if name != field}
    response = shared_cluster.rest.request("POST", "/orders", json=body)
    assert error_of(response) == (400, "VALIDATION_FAILED")
    assert [detail["field"] for detail in response.json()["error"]["details"]] == [field]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "VALIDATION_FAILED"),
        (b"{", "MALFORMED_JSON"),
        (b"\xff\xfe", "MALFORMED_JSON"),
        (b"[1]", "VALIDATION_FAILED"),
        (b"null", "VALIDATION_FAILED"),
        (b'{"quantity": NaN}', None),
        (b"[" * 100_000, None),
    ],
)
def test_wrong_body_is_400(shared_cluster: Cluster, content: bytes, reason: str | None):
    response = shared_cluster.rest.request(
        "POST", "/orders", content=content, headers={"Content-Type": "application/json"}
    )
    code, found = error_of(response)
    assert code == 400
    assert found == reason or (reason is None and found in ("MALFORMED_JSON", "VALIDATION_FAILED"))


def test_body_of_10_mb_is_refused(shared_cluster: Cluster):
    body = json.dumps(GOOD | {"name": "N" * 10_000_000}).encode()
    response = shared_cluster.rest.request(
        "POST", "/orders", content=body, headers={"Content-Type": "application/json"}
    )
    assert response.status_code in (400, 413)
    assert response.json()["error"]["outcome"] == "not_executed"


def test_wrong_content_type_is_415(shared_cluster: Cluster):
    response = shared_cluster.rest.request("POST", "/orders", content=b"buy", headers={"Content-Type": "text/plain"})
    assert error_of(response) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/orders"), ("PUT", "/orders/1"), ("POST", "/stocks/A00.T")])
def test_wrong_method_is_405(shared_cluster: Cluster, method: str, path: str):
    assert error_of(shared_cluster.rest.request(method, path)) == (405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/orders/0", (400, "VALIDATION_FAILED")),
        ("/orders/-1", (400, "VALIDATION_FAILED")),
        ("/orders/abc", (400, "VALIDATION_FAILED")),
        ("/orders/1.5", (400, "VALIDATION_FAILED")),
        ("/orders/999999", (404, "ORDER_NOT_FOUND")),
        ("/orders?limit=0", (400, "VALIDATION_FAILED")),
        ("/orders?limit=501", (400, "VALIDATION_FAILED")),
        ("/orders?nmae=A00.T", (400, "VALIDATION_FAILED")),
        ("/orders?after=2031-04-09T13:00:00", (400, "VALIDATION_FAILED")),
        ("/orders?cursor=%21%21", (400, "INVALID_CURSOR")),
        ("/stocks/NoSuchStock", (404, "STOCK_NOT_FOUND")),
        ("/no/such/path", (404, "PATH_NOT_FOUND")),
    ],
)
def test_wrong_path_or_query(shared_cluster: Cluster, path: str, expected: tuple[int, str]):
    assert error_of(shared_cluster.rest.get(path)) == expected


@pytest.mark.parametrize("number", [2**53, 2**63, 2**64, 10**30])
def test_order_number_beyond_all_bounds(shared_cluster: Cluster, number: int):
    assert shared_cluster.rest.get(f"/orders/{number}").status_code in (400, 404)


@pytest.mark.parametrize("name", ["two%20words", "50%25", "Z%C3%BCrich", "a%2Fb", "%00", "N" * 10_000, "%ff"])
def test_impossible_stock_name_is_no_server_error(shared_cluster: Cluster, name: str):
    response = shared_cluster.rest.get(f"/stocks/{name}")
    assert response.status_code in (400, 404)
    assert response.json()["error"]["reason"]


def test_unknown_stock_is_404_and_not_executed(shared_cluster: Cluster):
    response = shared_cluster.rest.place("NoSuchStock", "buy", 1)
    assert error_of(response) == (404, "STOCK_NOT_FOUND")
    assert response.json()["error"]["outcome"] == "not_executed"


@pytest.mark.parametrize("path", ["/stocks/A00.T", "/stocks", "/orders"])
def test_both_slash_forms_answer_the_same_without_redirect(shared_cluster: Cluster, path: str):
    plain, slashed = shared_cluster.rest.get(path), shared_cluster.rest.get(f"{path}/")
    assert (plain.status_code, slashed.status_code) == (200, 200)
    assert plain.json()["data"] == slashed.json()["data"]


def test_nothing_of_all_this_was_executed(shared_cluster: Cluster):
    assert shared_cluster.rest.get("/orders").json()["page"]["latest"] == 0
