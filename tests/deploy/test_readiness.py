"""When a system counts as open."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from deploy.readiness import is_open


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
