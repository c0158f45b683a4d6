"""Django behind the loop: how much of it is asked at once, and what it is told of a request."""

import asyncio
import threading
from typing import Any

import pytest

from common.calls.reasons import Reason
from tests.trading.edge.test_request import message, request_of
from trading.api.errors import ApiError
from trading.edge import django_threads
from trading.edge.django_threads import DjangoThreads
from trading.edge.request import Bodies, EdgeRequest

SCOPE: dict[str, Any] = {
    "raw_path": b"/orders",
    "query_string": b"",
    "scheme": "http",
    "http_version": "1.1",
    "client": ("::1", 1),
}


class Django:
    """A WSGI application that keeps what it is told, and answers when it is let, with the body that it has read."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.reads = True

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.asked.append(environ)
        assert self.gate.wait(10)
        body = environ["wsgi.input"].read() if self.reads else b"refused"
        start_response("200 OK", [("X-Kept", "yes")])
        return Body([body])


class Body(list[bytes]):
    def close(self) -> None:
        pass


@pytest.fixture
def django() -> Django:
    return Django()


def ask(django: Django, *messages: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    async def main() -> Any:
        return await DjangoThreads(django, Bodies()).answer(request_of(*messages, headers=headers, **SCOPE))

    return asyncio.run(main())


def test_a_body_that_is_here_is_handed_on_whole(django):
    answer = ask(django, message(b"ab", more=True), message(b"c"), headers={"content-length": "3"})
    assert (answer.status, answer.body, dict(answer.headers)[b"x-kept"]) == (200, b"abc", b"yes")
    assert [environ["CONTENT_LENGTH"] for environ in django.asked] == ["3"]


def test_a_body_in_chunks_gets_its_length(django):
    assert ask(django, message(b"abc"), headers={"transfer-encoding": "chunked"}).body == b"abc"
    assert django.asked[0]["CONTENT_LENGTH"] == "3"


def test_a_body_that_ends_early_keeps_the_length_that_was_announced(django):
    ask(django, message(b"abc"), headers={"content-length": "9"})
    assert django.asked[0]["CONTENT_LENGTH"] == "9"


def test_who_reads_no_body_answers_before_it_comes_and_the_connection_is_closed(django):
    django.reads = False
    answer = ask(django, headers={"content-length": "9"})
    assert (answer.body, (b"connection", b"close") in answer.headers) == (b"refused", True)


def test_who_reads_the_body_is_asked_again_once_it_is_here(django):
    """And is never shown half of it."""

    async def main() -> Any:
        request = request_of(headers={"content-length": "3"}, **SCOPE)
        come = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await come.wait()
            return message(b"abc")

        request.receive = receive
        answering = asyncio.ensure_future(DjangoThreads(django, Bodies()).answer(request))
        async with asyncio.timeout(5):
            while not django.asked:
                await asyncio.sleep(0.005)
        come.set()
        return await answering

    answer = asyncio.run(main())
    assert (answer.body, len(django.asked)) == (b"abc", 2)
    assert (b"connection", b"close") not in answer.headers


def test_no_more_are_asked_than_there_are_threads_and_no_more_wait_than_may(django, monkeypatch):
    monkeypatch.setattr(django_threads, "THREAD_COUNT", 2)
    monkeypatch.setattr(django_threads, "MOST_WAITING", 3)
    django.gate.clear()

    async def main() -> list[Any]:
        threads = DjangoThreads(django, Bodies())
        asking = [asyncio.ensure_future(threads.answer(request_of(**SCOPE))) for _ in range(9)]
        async with asyncio.timeout(5):
            while sum(one.done() for one in asking) < 4 or len(django.asked) < 2:
                await asyncio.sleep(0.005)
        assert len(django.asked) == 2
        django.gate.set()
        return await asyncio.gather(*asking, return_exceptions=True)

    answers = asyncio.run(main())
    refused = [one for one in answers if isinstance(one, ApiError)]
    assert [one.reason for one in refused] == [Reason.OVERLOADED] * 4
    assert sum(not isinstance(one, Exception) for one in answers) == 5


@pytest.mark.parametrize(
    ("headers", "name", "value"),
    [
        ([(b"x-a", b"1"), (b"x-a", b"2")], "HTTP_X_A", "1,2"),
        ([(b"cookie", b"a=1"), (b"cookie", b"b=2")], "HTTP_COOKIE", "a=1; b=2"),
        ([(b"x_a", b"1")], "HTTP_X_A", None),
        ([(b"x-a", b"1"), (b"x_a", b"2")], "HTTP_X_A", "1"),
        ([(b"x-a", b"\xe9")], "HTTP_X_A", "\xe9"),
        ([(b"content-type", b"a/b")], "CONTENT_TYPE", "a/b"),
        ([(b"content-type", b"a/b")], "HTTP_CONTENT_TYPE", None),
        ([], "PATH_INFO", "/orders"),
        ([], "REMOTE_ADDR", "::1"),
        ([], "SERVER_PROTOCOL", "HTTP/1.1"),
    ],
)
def test_what_a_request_says_is_told_as_wsgi_has_it(django, headers, name, value):
    async def main() -> None:
        request = EdgeRequest({"method": "GET", "path": "/orders", "headers": headers} | SCOPE, request_of().receive)
        await DjangoThreads(django, Bodies()).answer(request)

    asyncio.run(main())
    assert django.asked[0].get(name) == value


def test_a_path_is_told_as_its_bytes(django):
    async def main() -> None:
        await DjangoThreads(django, Bodies()).answer(request_of(**SCOPE | {"raw_path": b"/stocks/%C3%A9%2F%3F"}))

    asyncio.run(main())
    assert django.asked[0]["PATH_INFO"].encode("latin-1").decode() == "/stocks/é/?"
