"""Streams as clients that others wrote read them, cut before their first event and after it, from both servers."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from httpx_sse import EventSource
from sseclient import SSEClient

from deploy.systems.ports import PortBlock
from deploy.systems.process import Process
from deploy.systems.waiting import wait_until
from tests.harness.cluster import Cluster

WITHIN_S = 20.0


class Seen(NamedTuple):
    """One event as a client hands it on; the `place` is what it would come back with after this event."""

    type: str
    data: dict[str, Any]
    place: str


def read_with_httpx_sse(answer: httpx.Response) -> Iterator[Seen]:
    # As its own documentation shows: every event's data is parsed.
    for event in EventSource(answer).iter_sse():
        yield Seen(event.event, event.json(), event.id)


def read_with_sseclient(answer: httpx.Response) -> Iterator[Seen]:
    for event in SSEClient(answer.iter_bytes()).events():
        yield Seen(event.event, json.loads(event.data), event.id or "")


def read_as_eventsource_3(answer: httpx.Response) -> Iterator[Seen]:
    """As the npm package eventsource 3 does: an id counts only with an event that has data; comments are no lines."""
    fields: dict[str, str] = {}
    place = ""
    for line in answer.iter_lines():
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
            continue
        if fields.get("data"):
            place = fields.get("id", place)
            yield Seen(fields.get("event", "message"), json.loads(fields["data"]), place)
        fields = {}


# What `make javascript` installs.
NPM_PACKAGE = Path(sys.prefix) / "node" / "node_modules" / "eventsource"
NODE = shutil.which("node") if NPM_PACKAGE.is_dir() else None

# Opens a stream at a URL, with these headers beside the client's own.
Open = Callable[[str, dict[str, str]], AbstractContextManager[Iterator[Seen]]]


def by_httpx(read: Callable[[httpx.Response], Iterator[Seen]]) -> Open:
    @contextmanager
    def open_stream(url: str, headers: dict[str, str]) -> Iterator[Iterator[Seen]]:
        headers = {"Accept": "text/event-stream"} | headers
        with httpx.stream("GET", url, headers=headers, timeout=WITHIN_S) as answer:
            assert answer.is_success
            yield read(answer)

    return open_stream


@contextmanager
def by_eventsource(url: str, headers: dict[str, str]) -> Iterator[Iterator[Seen]]:
    """With the package itself, in node."""
    script = Path(__file__).with_name("eventsource.mjs")
    command = [str(NODE), str(script), str(NPM_PACKAGE), url, json.dumps(headers), str(WITHIN_S)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield (Seen(**json.loads(line)) for line in process.stdout)
        finally:
            process.kill()


as_eventsource = by_httpx(read_as_eventsource_3)
CLIENTS = {
    "httpx-sse": by_httpx(read_with_httpx_sse),
    "sseclient-py": by_httpx(read_with_sseclient),
    "as eventsource": as_eventsource,
} | ({"eventsource": by_eventsource} if NODE else {})


@pytest.fixture(scope="module")
def runserver(shared_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Django's development server beside the frontend: the address."""
    ports = PortBlock()
    address = ports.addresses[0]
    command = [sys.executable, "manage.py", "runserver", "--noreload", address]
    output = Path(tmp_path_factory.mktemp("runserver")) / "output.txt"
    process = Process("runserver", command, shared_cluster.environment, output)
    process.start()

    def answers() -> bool:
        try:
            return httpx.get(f"http://{address}/healthz", timeout=WITHIN_S).is_success
        except httpx.TransportError:
            return False

    wait_until(answers, WITHIN_S, "the development server")
    yield address
    process.kill()
    ports.close()


@pytest.fixture(params=["frontend", "runserver"])
def address(request: pytest.FixtureRequest, shared_cluster: Cluster) -> str:
    """Where the streams are."""
    return shared_cluster.rest.address if request.param == "frontend" else request.getfixturevalue("runserver")


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> Open:
    """What reads the streams."""
    return CLIENTS[request.param]


def follow(
    address: str, client: Open, place: str | None, until: Callable[[Seen], bool], parameter: str = ""
) -> list[Seen]:
    """Read a stream from a place on until one event is seen, and cut it."""
    headers = {"Last-Event-ID": place} if place and not parameter else {}
    params = {"types": "order"} | ({parameter: place} if place and parameter else {})
    seen = []
    with client(str(httpx.URL(f"http://{address}/events", params=params)), headers) as events:
        for event in events:
            seen.append(event)
            if until(event):
                return seen
    raise AssertionError(f"the stream ended; {seen}")


def test_client_that_is_cut_before_its_first_event_and_after_it_loses_nothing(shared_cluster, address, client):
    name = next(iter(shared_cluster.initial))

    def place_order() -> int:
        number: int = shared_cluster.rest.place(name, "sell", 1).json()["data"]["number"]
        return number

    opened = follow(address, client, None, lambda event: event.type == "place")
    missed = [place_order(), place_order()]
    first = follow(address, client, opened[-1].place, lambda event: event.type == "order")
    assert [event.data["number"] for event in first if event.type == "order"] == missed[:1]
    missed.append(place_order())
    rest = follow(address, client, first[-1].place, lambda event: event.data.get("number") == missed[-1])
    assert [event.data["number"] for event in rest if event.type == "order"] == missed[1:]
    assert "reset" not in {event.type for event in [*opened, *first, *rest]}


@pytest.mark.parametrize("parameter", ["lastEventId", "Last-Event-ID"])
def test_polyfill_that_cannot_set_the_header_comes_back_by_a_parameter(shared_cluster, address, parameter):
    client, name = as_eventsource, next(iter(shared_cluster.initial))
    opened = follow(address, client, None, lambda event: event.type == "place")
    number = shared_cluster.rest.place(name, "sell", 1).json()["data"]["number"]
    seen = follow(address, client, opened[-1].place, lambda event: event.type == "order", parameter)
    assert [event.type for event in seen] == ["place", "order"]
    assert seen[-1].data["number"] == number


def test_place_of_another_frontend_is_answered_with_a_reset_and_then_with_one_that_counts(address, client):
    seen = follow(address, client, "0123abcd-7", lambda event: event.type == "place")
    assert [event.type for event in seen] == ["reset", "place"]
    again = follow(address, client, seen[0].place, lambda event: event.type == "place")
    assert [event.type for event in again] == ["place"]
