"""The page at / and its panels, as a browser gets them: who is shown what."""

import copy
import re
import threading
from typing import Any

import pytest
from rest_framework.test import APIClient

from common.calls.reasons import Reason
from tests.trading.fakes import failed
from trading.dashboard import fragment, views
from trading.dashboard.board import Sample
from trading.dashboard.stock_search import StockSearch
from trading.operator.event_file import ClusterEvent

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
REPLICA = {"address": "10.0.0.9:7", "rtt_ms": None, "last_seen": None, "error": None}
STATUS = {
    "health": "degraded",
    "min_in_sync": 1,
    "leader": 3,
    "epoch": 4,
    "last_number": 61,
    "health_loop": True,
    "catalog": {"address": "10.0.0.9:1", "trades": True, "last_number": 61, "error": None},
    "replicas": [
        REPLICA | {"id": 3, "role": "leader", "state": "in-sync", "last_number": 61, "lag": 0},
        REPLICA | {"id": 2, "role": "follower", "state": "catching-up", "last_number": 58, "lag": 3},
        REPLICA
        | {"id": 1, "role": None, "state": "faulty", "last_number": None, "lag": None, "error": "connection refused"},
    ],
}
EVENTS = [
    ClusterEvent("2031-04-09T13:05:22.104511Z", "election", "replica 3 leads epoch 4", 3, 4),
    ClusterEvent("2031-04-09T13:06:00.000000Z", "failure", "replica 1: faulty: connection refused", 1),
]
PANELS = ("stocks", "orders", "replicas", "failovers", "charts")


class FakeBoard:
    def __init__(self):
        self.shown: dict[str, Any] = STATUS

    def status(self):
        return self.shown

    def events(self):
        return EVENTS

    def samples(self):
        return [Sample(0.0, 0, 0, 0), Sample(1.0, 5, 1, 2)]


@pytest.fixture
def board(market, monkeypatch):
    board = FakeBoard()
    monkeypatch.setattr(views, "board", lambda: board)
    monkeypatch.setattr(
        views,
        "stock_search",
        lambda: StockSearch(lambda: list(market.stocks), lambda names: [market.stocks[name] for name in names]),
    )
    return board


@pytest.fixture
def page(board):
    """Get a path as a browser does, from an address and with headers; returns the answer and its text."""
    client = APIClient(enforce_csrf_checks=True)

    def get(path, address="127.0.0.1", **headers):
        response = client.get(path, headers=HTML | headers, REMOTE_ADDR=address)
        return response, response.content.decode()

    return get


def test_page_has_every_panel_and_the_scripts_are_files_from_here(page):
    response, text = page("/")
    assert response.status_code == 200
    assert [path for path in PANELS if f'hx-get="/dashboard/{path}"' not in text] == []
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", text)
    assert len(scripts) == 4
    assert all(inside == "" and ' src="/static/' in start for start, inside in scripts)
    assert " style=" not in text


def test_programs_get_the_index(rest):
    assert rest.get("/").json()["data"]["orders"] == "/orders"


@pytest.mark.parametrize("panel", PANELS)
def test_panel_that_is_as_the_page_shows_it_is_not_sent_again(page, panel, monkeypatch):
    monkeypatch.setattr(views, "monotonic", lambda: 1.0)
    response, text = page(f"/dashboard/{panel}")
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    (version,) = re.findall(r'name="version" value="([0-9a-f]{16})"', text)
    response, text = page(f"/dashboard/{panel}?version={version}")
    assert (response.status_code, text) == (204, "")
    assert page(f"/dashboard/{panel}?version=other")[0].status_code == 200


def test_stocks_can_be_searched(page):
    _, text = page("/dashboard/stocks?search=finch")
    assert re.findall(r'<a id="stock-[^"]+" href="([^"]+)"', text) == ["/stocks/BlueFinch"]
    assert "41.35" in text
    assert "No stock has “zzz” in its name." in page("/dashboard/stocks?search=zzz")[1]
    assert "<script>" not in page("/dashboard/stocks?search=<script>")[1]


def test_orders_are_shown_newest_first(page, post):
    assert "No orders yet." in page("/dashboard/orders")[1]
    for quantity in (1, 2):
        post(name="BlueFinch", type="buy", quantity=quantity)
    _, text = page("/dashboard/orders")
    assert re.findall(r'href="/orders/(\d+)"', text) == ["2", "1"]


def test_replicas_are_told_in_words(page):
    _, text = page("/dashboard/replicas")
    assert "Degraded: replica 3 leads (epoch 4), 1 of 3 in sync." in text
    for words in ("leader", "follower", "in-sync", "catching-up", "faulty"):
        assert f">{words}<" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"health": "ok"}, "All is well: replica 3 leads"),
        ({"health_loop": False}, "No health loop runs: a replica that falls behind is not caught up."),
        ({"health": "down"}, "Down: too few replicas in sync: replica 3 leads"),
        ({"health": "down", "leader": None}, "Down: no replica leads."),
        (
            {"health": "down", "catalog": {"trades": False, "error": "refused"}},
            "Down: the catalog does not trade (refused).",
        ),
        ({"catalog": {"trades": True, "error": "refused"}}, "in sync. This frontend does not reach the catalog"),
    ],
)
def test_summary_says_what_is_wrong(page, board, changes, words):
    board.shown = STATUS | changes
    assert words in page("/dashboard/replicas")[1]


def test_operators_alone_are_told_addresses_and_failures(page):
    for address, is_told in (("127.0.0.1", True), ("192.0.2.7", False)):
        _, replicas = page("/dashboard/replicas", address)
        _, failovers = page("/dashboard/failovers", address)
        assert ("10.0.0.9" in replicas) == ("connection refused" in replicas) == is_told
        assert ("connection refused" in failovers) == is_told
        assert "replica 3 leads epoch 4" in failovers


def test_operators_alone_are_told_what_was_found_in_the_files(page, board):
    board.shown = copy.deepcopy(STATUS)
    board.shown["replicas"][0]["findings"] = ["order_database.csv: row 8 was damaged"]
    board.shown["catalog"]["findings"] = ["line 2 was damaged"]
    for address, is_told in (("127.0.0.1", True), ("192.0.2.7", False)):
        _, text = page("/dashboard/replicas", address)
        assert ("Found: order_database.csv: row 8 was damaged" in text) == is_told
        assert ("Catalog found: line 2 was damaged" in text) == is_told


def test_charts_say_in_words_what_they_draw(page):
    _, text = page("/dashboard/charts")
    assert "orders per second" in text
    assert text.count('role="img"') == 2


def test_failure_is_told_as_json(page, market):
    market.failure = failed(Reason.CATALOG)
    response, _ = page("/dashboard/orders", Accept="*/*")
    assert (response.status_code, response.json()["error"]["reason"]) == (503, "CATALOG_UNAVAILABLE")


def test_panels_take_so_many_threads_at_most(page, monkeypatch):
    none_left = threading.BoundedSemaphore(1)
    monkeypatch.setattr(fragment, "_places", lambda: none_left)
    assert {page("/dashboard/orders")[0].status_code for _ in range(3)} == {200}
    none_left.acquire()
    response, _ = page("/dashboard/orders", Accept="*/*")
    assert (response.status_code, response.json()["error"]["reason"]) == (503, "OVERLOADED")


def test_without_a_login_the_page_leads_to_it_and_panels_are_refused(page, authentication):
    response, text = page("/")
    assert response.status_code == 401
    assert 'href="/login?next=/"' in text
    assert "hx-get" not in text
    assert {page(f"/dashboard/{panel}", Accept="*/*")[0].status_code for panel in PANELS} == {401}


def test_each_account_sees_its_own_orders_and_operators_have_no_form(page, rest, token):
    ann, bob, olga = token("ann"), token("bob"), token("olga", "operator")
    rest.post("/orders", {"name": "BlueFinch", "type": "buy", "quantity": 1}, format="json", headers=ann)
    assert 'href="/orders/1"' in page("/dashboard/orders", **ann)[1]
    assert "No orders yet." in page("/dashboard/orders", **bob)[1]
    assert "Orders are shown to the accounts that placed them." in page("/dashboard/orders", **olga)[1]
    assert 'data-account="ann"' in page("/", **ann)[1]
    assert 'id="order"' not in page("/", **olga)[1]
    assert "data-trade" not in page("/dashboard/stocks", **olga)[1]
    assert "10.0.0.9" in page("/dashboard/replicas", **olga)[1]
    assert "10.0.0.9" not in page("/dashboard/replicas", **ann)[1]


def test_nothing_of_the_page_is_on_the_way_of_an_order(settings):
    assert [name for name in settings.MIDDLEWARE if "htmx" in name or "dashboard" in name] == []
