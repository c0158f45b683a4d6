"""GET /metrics, and what it says of the requests before it. Counts are the process's own: tests look at differences."""

import pytest

from trading.api.request_metrics import REGISTRY, route_of


class Counted:
    """What was counted since this was made."""

    def __init__(self) -> None:
        self._before: dict[tuple, float] = {}

    def __call__(self, name: str, **labels: str) -> float:
        key = (name, *labels.items())
        now = REGISTRY.get_sample_value(f"bourse_frontend_{name}", labels) or 0.0
        return now - self._before.setdefault(key, now)


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.mark.parametrize(
    ("pattern", "route"),
    [
        (r"^\Z", "/"),
        (r"^stocks/?\Z", "/stocks"),
        (r"^stocks/(?P<name>[\s\S]+?)/?\Z", "/stocks/{name}"),
        (r"^replicas/(?P<replica_id>[\s\S]+?)/resync/?\Z", "/replicas/{replica_id}/resync"),
        (r"^", "other"),
    ],
)
def test_routes_are_written_as_on_the_api_page(pattern: str, route: str):
    assert route_of(pattern) == route


def test_requests_are_counted_by_route_not_by_path(rest, counted):
    found = {"method": "GET", "route": "/stocks/{name}", "code": "200"}
    missing = {"method": "GET", "route": "/stocks/{name}", "code": "404"}
    strange = {"method": "other", "route": "other", "code": "404"}
    for labels in (found, missing, strange):
        counted("requests_total", **labels)
    rest.get("/stocks/BlueFinch")
    rest.get("/stocks/Cent/")
    rest.get("/stocks/nobody")
    rest.generic("BREW", "/coffee")
    assert [counted("requests_total", **labels) for labels in (found, missing, strange)] == [2, 1, 1]
    assert not any("Cent" in str(sample.labels) for family in REGISTRY.collect() for sample in family.samples)


def test_stock_reads_are_counted_by_the_caches_part(rest, counted):
    for cache in ("hit", "miss", "bypass"):
        counted("stock_reads_total", cache=cache)
    rest.get("/stocks/BlueFinch")
    rest.get("/stocks/BlueFinch")
    rest.get("/stocks/BlueFinch", headers={"Cache-Control": "no-cache"})
    assert [counted("stock_reads_total", cache=cache) for cache in ("hit", "miss", "bypass")] == [1, 1, 1]


def test_orders_are_counted_by_outcome_and_reason(rest, post, counted):
    outcomes = [
        {"outcome": "filled", "reason": ""},
        {"outcome": "replayed", "reason": ""},
        {"outcome": "not_executed", "reason": "INSUFFICIENT_STOCK"},
        {"outcome": "not_executed", "reason": "VALIDATION_FAILED"},
    ]
    for labels in outcomes:
        counted("orders_total", **labels)
    for _ in range(2):
        post(name="BlueFinch", type="buy", quantity=1, headers={"Idempotency-Key": "k"})
    post(name="BlueFinch", type="buy", quantity=10**6)
    post(name="BlueFinch", type="steal", quantity=1)
    rest.get("/orders")
    assert [counted("orders_total", **labels) for labels in outcomes] == [1, 1, 1, 1]


@pytest.mark.parametrize("accept", ["*/*", "text/plain;version=0.0.4", "application/json"])
def test_metrics_are_shown_whatever_is_accepted(rest, accept: str):
    answer = rest.get("/metrics", headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=")
    assert b"\nbourse_frontend_waiting_orders 0.0\n" in answer.content
    assert rest.post("/metrics").json()["error"]["reason"] == "METHOD_NOT_ALLOWED"
