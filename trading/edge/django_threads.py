"""Django behind the event loop: a WSGI application in a bounded number of threads, none of which waits for a client.

Bodies are read in the loop, and answers are sent from there. While a body is on its way the application is asked
without it: who is refused for something else than the body hears so at once (RFC 9110, 10.1.1 has the same in mind).
"""

import asyncio
import io
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from django.conf import settings
from django.core.exceptions import RequestDataTooBig

from common.calls.reasons import Reason
from trading.api.api_view import IN_LOOP
from trading.api.errors import ApiError
from trading.api.order_key import BODY_IS_COMING
from trading.api.throttling import COUNTED
from trading.edge.request import Bodies, EdgeRequest

THREAD_COUNT = 64
# So many requests wait for a thread, and no more: they take some milliseconds each, unless everything stands still.
MOST_WAITING = 1_000
# A body that was sent together with its head is here by then.
AT_ONCE_S = 0.02

Environ = dict[str, Any]
Headers = list[tuple[bytes, bytes]]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class ThreadAnswer(NamedTuple):
    """What the application has answered; `stream`: events that go on behind its headers, instead of the body."""

    status: int
    headers: Headers
    body: bytes
    stream: Any


class _BodyAwaited(BaseException):
    """The application reads a body that has not come yet. Nothing between may take it for an error of its own."""


class _ComingBody:
    """Stands for a body that is on its way."""

    def read(self, _size: int = -1) -> bytes:
        raise _BodyAwaited

    readline = read


class DjangoThreads:
    """Asks a WSGI application for answers. For the loop's thread alone."""

    def __init__(self, application: Application, bodies: Bodies) -> None:
        self._application = application
        self._bodies = bodies
        self._threads = ThreadPoolExecutor(THREAD_COUNT, thread_name_prefix="django")
        self._asked = 0

    async def answer(self, request: EdgeRequest) -> ThreadAnswer:
        """Return the application's answer.

        Raises:
            ApiError: OVERLOADED; REQUEST_TIMEOUT, SHUTTING_DOWN: the body has not come.
            RequestDataTooBig.
            ClientGone.
        """
        announced, body = request.announced_length, request.body
        if body is not None or announced == 0:
            return await self._ask(request, io.BytesIO(body or b""), announced or len(body or b""))
        most_bytes: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if announced is not None and announced > most_bytes:
            early = await self._ask_early(request, announced)
            if early is None:
                raise RequestDataTooBig
            return early
        reading = asyncio.ensure_future(self._bodies.read(request, most_bytes))
        try:
            await asyncio.wait((reading,), timeout=AT_ONCE_S)
            if not reading.done() and (early := await self._ask_early(request, announced or 1)) is not None:
                return early
            body = await reading
        finally:
            reading.cancel()
        return await self._ask(request, io.BytesIO(body), announced or len(body))

    async def _ask_early(self, request: EdgeRequest, length: int) -> ThreadAnswer | None:
        """Ask before the body has come; None: the answer depends on it."""
        try:
            answer = await self._ask(request, _ComingBody(), length)
        except _BodyAwaited:
            return None
        # Its body will not be read: the connection is of no use for another request.
        answer.headers.append((b"connection", b"close"))
        return answer

    async def _ask(self, request: EdgeRequest, body: Any, length: int) -> ThreadAnswer:
        if self._asked >= THREAD_COUNT + MOST_WAITING:
            raise ApiError(Reason.OVERLOADED, f"{self._asked} requests wait for an answer; nothing was done.")
        environ = _environ(request, body, length) | {BODY_IS_COMING: isinstance(body, _ComingBody)}
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, environ)
        finally:
            self._asked -= 1
            if COUNTED in environ:
                request.meta[COUNTED] = environ[COUNTED]

    def _run(self, environ: Environ) -> ThreadAnswer:
        started: list[tuple[str, list[tuple[str, str]]]] = []
        result: Any = self._application(environ, lambda status, headers, *_: started.append((status, headers)))
        try:
            body = b"".join(result)
        finally:
            result.close()
        (status, headers) = started[-1]
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        stream = getattr(result, "event_stream", None)
        if stream is not None:
            encoded = [(name, value) for name, value in encoded if name != b"content-length"]
        elif not any(name == b"content-length" for name, _ in encoded):
            encoded.append((b"content-length", b"%d" % len(body)))
        return ThreadAnswer(int(status[:3]), encoded, body, stream)


def _environ(request: EdgeRequest, body: Any, length: int) -> Environ:
    """Return a request as WSGI has it (PEP 3333)."""
    scope = request.scope
    server, client = scope.get("server") or ("localhost", 80), scope.get("client") or ("", 0)
    environ: Environ = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        IN_LOOP: request,
        **request.meta,
    }
    for raw_name, raw_value in scope["headers"]:
        if b"_" in raw_name:  # WSGI would not tell it from one with a dash, which a proxy may vouch for
            continue
        name, value = raw_name.decode("latin-1").upper().replace("-", "_"), raw_value.decode("latin-1")
        name = name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"
        joint = "; " if name == "HTTP_COOKIE" else ","
        environ[name] = f"{environ[name]}{joint}{value}" if name in environ else value
    if request.announced_length != 0:
        environ["CONTENT_LENGTH"] = str(length)
    return environ
