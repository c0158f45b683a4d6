import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.failover import place
from benchmarks.load_client import NO_ANSWER
from benchmarks.processes import BenchmarkError


@contextmanager
def frontend(statuses: list[int]) -> Iterator[tuple[str, list[str]]]:
    """Answer each POST with the next of these; NO_ANSWER closes the connection. Yields address and keys that came."""
    keys: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            keys.append(self.headers["Idempotency-Key"])
            status = statuses[len(keys) - 1]
            if status != NO_ANSWER:
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

        def log_message(self, *_arguments: object) -> None:
            """Nothing goes to the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", keys
        server.shutdown()


def test_an_order_is_sent_again_under_its_key_until_it_is_acknowledged():
    with frontend([503, NO_ANSWER, 504, 201]) as (address, keys):
        began = time.perf_counter()
        done = place(address, began)
        assert 0 < done.seconds <= time.perf_counter() - began
    assert done.answers == [503, NO_ANSWER, 504, 201]
    assert done.order == b"{}"
    assert len(keys) == 4
    assert len(set(keys)) == 1


def test_a_refusal_ends_the_benchmark():
    with frontend([503, 409]) as (address, _), pytest.raises(BenchmarkError, match=r"\[503, 409\]"):
        place(address, time.perf_counter())
