"""When a system counts as open."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from deploy import readiness
from deploy.readiness import Refused, is_open, wait_until_ready
from deploy.settings import RunSettings


class Frontend:
    """Answers each path with what it was given."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.hosts: set[str] = set()
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                told.hosts.add(self.headers["Host"])
                status, body = told.answers[self.path]
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def frontend() -> Iterator[Frontend]:
    made = Frontend()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.mark.parametrize(("status", "expected"), [(200, True), (503, False), (500, False), (301, False)])
def test_open_means_that_the_frontend_says_it_is_ready(frontend: Frontend, status, expected):
    frontend.answers = {"/readyz": (status, {})}
    assert is_open(frontend.address, "bourse.test") is expected
    assert frontend.hosts == {"bourse.test"}


def test_nothing_that_answers_is_not_open(frontend: Frontend):
    frontend.server.shutdown()
    frontend.server.server_close()
    assert not is_open(frontend.address, "localhost")


def state(statename: str, stop: int) -> list[dict[str, Any]]:
    """What the supervisor says of two processes, of which the second has ended last at `stop`; 0: never."""
    return [
        {"name": "catalog", "statename": "RUNNING", "stop": 0},
        {"name": "order-1", "statename": statename, "stop": stop},
    ]


@pytest.fixture
def settings(tmp_path: Path) -> RunSettings:
    return RunSettings.from_environment({"BOURSE_DATA_DIR": str(tmp_path)})


def say(monkeypatch: pytest.MonkeyPatch, *looks: list[dict[str, Any]]) -> None:
    """Have the supervisor say this, look after look; at the last one the system is open."""
    left = list(looks)
    monkeypatch.setattr(readiness, "process_states", lambda _path: left.pop(0))
    monkeypatch.setattr(readiness, "is_open", lambda *_: not left)


@pytest.mark.parametrize(
    ("statename", "stop"),
    [("BACKOFF", 9), ("BACKOFF", 0), ("FATAL", 9), ("EXITED", 9), ("STARTING", 9), ("RUNNING", 9)],
)
def test_process_that_ended_has_refused_however_long_that_took(settings, monkeypatch, statename, stop):
    """The last three: it had run for longer than the supervisor's `startsecs`, as on a slow machine."""
    say(monkeypatch, [], state("STARTING", 0), state(statename, stop))
    with pytest.raises(Refused, match="order-1"):
        wait_until_ready(settings, threading.Event(), 5)


def test_process_that_was_stopped_and_started_has_not_refused(settings, monkeypatch):
    say(monkeypatch, state("STOPPING", 0), state("STOPPED", 9), state("STARTING", 9), state("RUNNING", 9))
    assert wait_until_ready(settings, threading.Event(), 5)
