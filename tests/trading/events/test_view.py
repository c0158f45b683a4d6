"""GET /events as HTTP: its headers, and its errors as JSON."""

import pytest

from trading.events import view
from trading.events.hub import EventHub
from trading.events.ring import ORDER, Event, EventRing

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
    hub = EventHub(1, Silence, Silence)  # type: ignore[arg-type]
    monkeypatch.setattr(view, "event_hub", lambda: hub)
    yield hub
    hub.stop()


@pytest.mark.parametrize("accept", ["text/event-stream", "*/*", "text/html,*/*;q=0.8"])
def test_stream_has_its_headers_and_begins_at_once(rest, accept):
    response = rest.get("/events", headers={"Accept": accept, "X-Request-Id": "r7"})
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Request-Id"] == "r7"
    assert next(response.streaming_content).startswith(b"retry: 1000\n")
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
    next(pieces)
    hub.ring.publish([Event(ORDER, f'{{"of":"{account}"}}', "ACME", account=account) for account in ("bob", "ann", "")])
    text = next(pieces).decode()
    assert "ann" in text
    assert text.count("event: order") == 1
    response.close()
