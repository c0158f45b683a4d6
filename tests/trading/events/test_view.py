"""GET /events as HTTP: its headers, and its errors as JSON."""

import pytest
from rest_framework.test import APIClient

from trading.api.api_view import IN_LOOP
from trading.events import view
from trading.events.hub import EventHub
from trading.events.places import MOST_THREADS, Places
from trading.events.ring import Event, EventRing
from trading.events.topics import ORDER

# A closed answer has Django look after its database connections.
pytestmark = pytest.mark.django_db


class Silence:
    """A source of nothing."""

    def __init__(self, ring: EventRing) -> None:
        pass

    def begin(self) -> None:
        pass

    def tick(self) -> bool:
        return False


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch):
    hub = EventHub(Places(1, 1), Silence, Silence)  # type: ignore[arg-type]
    monkeypatch.setattr(view, "event_hub", lambda: hub)
    yield hub
    hub.stop()


@pytest.fixture
def rest(market) -> APIClient:
    """A client of Django without the edge: a thread sends the stream."""
    return APIClient(HTTP_HOST="testserver")


@pytest.mark.parametrize("accept", ["text/event-stream", "*/*", "text/html,*/*;q=0.8"])
def test_stream_has_its_headers_and_begins_at_once(rest, accept):
    response = rest.get("/events", headers={"Accept": accept, "X-Request-Id": "r7"})
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Request-Id"] == "r7"
    pieces = response.streaming_content
    assert (next(pieces) + next(pieces)).startswith(b"retry: 1000\n")
    response.close()


def test_place_is_free_after_the_answer_is_closed_even_if_it_was_never_read(rest):
    for _request in range(3):
        response = rest.get("/events")
        assert response.status_code == 200
        response.close()


def test_errors_are_json(rest):
    kept = rest.get("/events")
    headers = {"Accept": "text/event-stream"}
    for response, code, reason in (
        (rest.get("/events", headers=headers), 503, "OVERLOADED"),
        (rest.get("/events?typo=1", headers=headers), 400, "VALIDATION_FAILED"),
        (rest.post("/events", headers=headers), 405, "METHOD_NOT_ALLOWED"),
        (rest.get("/events", headers={"Accept": "application/json"}), 406, "NOT_ACCEPTABLE"),
    ):
        assert response.status_code == code
        assert response.headers["Content-Type"] == "application/json"
        assert response.json()["error"]["reason"] == reason
        assert ("Retry-After" in response.headers) == (code == 503)
    kept.close()


def test_head_takes_no_place(rest):
    for _request in range(3):
        response = rest.head("/events?types=order")
        assert (response.status_code, response.headers["Content-Type"]) == (200, "text/event-stream")
    assert rest.head("/events?typo=1").status_code == 400
    assert rest.get("/events/").status_code == 200


def test_accounts_see_their_own_orders_alone(rest, token, hub):
    assert rest.get("/events").status_code == 401
    response = rest.get("/events", headers=token("ann", "trader"))
    pieces = response.streaming_content
    assert b"event: place" in next(pieces) + next(pieces)
    hub.ring.publish([Event(ORDER, f'{{"of":"{account}"}}', "ACME", account=account) for account in ("bob", "ann", "")])
    text = next(pieces).decode()
    assert "ann" in text
    assert text.count("event: order") == 1
    response.close()


@pytest.mark.parametrize(
    ("query", "headers"), [("", {"Last-Event-ID": "0-1"}), ("?lastEventId=0-1", {}), ("?Last-Event-ID=0-1", {})]
)
def test_place_may_be_told_by_the_header_or_by_a_parameter(rest, query, headers):
    response = rest.get(f"/events{query}", headers=headers)
    assert b"unknown_id" in next(response.streaming_content)
    response.close()


def test_streams_that_hold_a_thread_each_are_fewer_than_the_setting_says(rest, hub, monkeypatch):
    monkeypatch.setattr(hub, "_places", Places(2000, 100))
    kept = [rest.get("/events") for _ in range(MOST_THREADS)]
    assert [response.status_code for response in kept] == [200] * MOST_THREADS
    refused = rest.get("/events")
    assert refused.status_code == 503
    assert "each holds a thread here" in refused.json()["error"]["message"]
    for response in kept:
        response.close()


def test_by_an_event_loop_the_stream_is_handed_over_and_holds_no_thread(rest, hub):
    response = rest.get("/events", **{IN_LOOP: True})
    assert (response.status_code, response.content, hub.stream_count) == (200, b"", 1)
    assert response.headers["X-Accel-Buffering"] == "no"
    response.event_stream.close()
    assert hub.stream_count == 0
