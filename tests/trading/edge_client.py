"""Requests of a test client go the way that those of a server go: by the edge, in an event loop of its own thread."""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any
from urllib.parse import quote_from_bytes

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse

from trading.edge.application import Edge
from trading.edge.request import Message, Scope


class ByEdge:
    """Stands before a test client's handler, which is Django without the WSGI application around it.

    Django works in the test's own thread: there it finds the test's transaction.

    Attributes:
        answered_plainly: for each request, whether it never came to Django.
    """

    def __init__(self, handler: Any) -> None:
        self._handler = handler
        self.answered_plainly: list[bool] = []

    def __call__(self, environ: dict[str, Any]) -> HttpResponse:
        by_django: list[HttpResponse] = []

        def django(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            response = self._handler(environ)
            by_django.append(response)
            start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
            return _Taken()

        messages = exchange(django, scope_of(environ), environ["wsgi.input"].read())
        self.answered_plainly.append(not by_django)
        if by_django:
            return by_django[0]
        start, body = messages
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        response = HttpResponse(body["body"], status=start["status"], headers=headers)
        response.wsgi_request = WSGIRequest(environ)  # the client expects it
        return response


def scope_of(environ: dict[str, Any]) -> Scope:
    """Return a request of a test client as ASGI has it."""
    path = environ["PATH_INFO"].encode("latin-1")
    headers = [
        (name.removeprefix("HTTP_").lower().replace("_", "-").encode(), str(value).encode("latin-1"))
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
    ]
    return {
        "type": "http",
        "http_version": "1.1",
        "method": environ["REQUEST_METHOD"],
        "scheme": environ["wsgi.url_scheme"],
        "path": path.decode(errors="replace"),
        "raw_path": quote_from_bytes(path).encode(),
        "query_string": environ["QUERY_STRING"].encode("latin-1"),
        "headers": headers,
        "client": (environ["REMOTE_ADDR"], 50_000),
        "server": (environ["SERVER_NAME"], int(environ["SERVER_PORT"])),
    }


def exchange(django: Any, scope: Scope, body: bytes) -> list[Message]:
    """Return what a fresh edge before `django` sends as the answer to one request. What it has done in threads is done
    in this one."""
    threads = _ThisThread()
    sent: list[Message] = []
    coming: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if not coming:
            await asyncio.get_running_loop().create_future()  # the client stays
        return coming.pop()

    async def send(message: Message) -> None:
        sent.append(message)

    async def answer() -> None:
        asyncio.get_running_loop().set_default_executor(threads)
        edge = Edge(django)
        edge._django._threads = threads
        await edge(scope, receive, send)

    threads.work_until(asyncio.run_coroutine_threadsafe(answer(), _loop()))
    return sent


class _ThisThread(ThreadPoolExecutor):
    """Work for the thread that asks for it to be done."""

    def __init__(self) -> None:
        super().__init__(1)
        self._work: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> "Future[Any]":
        done: Future[Any] = Future()

        def work() -> None:
            try:
                done.set_result(function(*arguments, **keywords))
            except BaseException as error:  # noqa: BLE001 - raised to whoever waits, as from any thread
                done.set_exception(error)

        self._work.put(work)
        return done

    def work_until(self, end: "Future[None]") -> None:
        """Work until this is over; what it raises is raised."""
        end.add_done_callback(lambda _end: self._work.put(lambda: None))
        while not end.done():
            self._work.get(timeout=30)()
        end.result()


class _Taken(list[bytes]):
    """The body of a response that the test reads itself."""

    def close(self) -> None:
        pass


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="edge", daemon=True).start()
    return loop
