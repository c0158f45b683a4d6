"""`python -m tests.harness.watched_frontend HOST:PORT`: the frontend, which tells what its loop's thread waits for.

It writes a line with `BLOCKED` and a stack on stdout. asyncio's own watch for slow callbacks sees how long one took,
and on a busy machine any may take long. Here is seen what it did: the ways in which Python waits are replaced by ones
that look in which thread they are.
"""

import importlib
import sqlite3
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import grpc._channel

MARK = "BLOCKED"
# What waits, by its module and name.
WAITING = (
    (threading.Condition, "wait"),
    (threading.Thread, "join"),
    (time, "sleep"),
    (grpc._channel._UnaryUnaryMultiCallable, "_blocking"),
    (grpc._channel._MultiThreadedRendezvous, "_next"),
)


def watch(owner: Any, name: str) -> None:
    """Have a function tell when the loop's thread is in it."""
    original: Callable[..., Any] = getattr(owner, name)

    def watched(*arguments: Any, **keywords: Any) -> Any:
        if is_in_loop() and not is_momentary(arguments):
            told = "".join(traceback.format_stack(limit=12)).replace("\n", " | ")
            print(f"{MARK} in {name}: {told}", flush=True)
        return original(*arguments, **keywords)

    setattr(owner, name, watched)


def is_in_loop() -> bool:
    """Whether a callback of the event loop is under way in this thread, and not only its start or end."""
    return threading.get_ident() == LOOP.get("thread")


def is_momentary(arguments: tuple[Any, ...]) -> bool:
    """Whether it is a look and no wait, or waits for a thread of its own to have begun, some 50 us."""
    above = sys._getframe(2).f_back  # of Event.wait
    starts = above is not None and (above.f_code.co_name, above.f_code.co_filename) == ("start", threading.__file__)
    return arguments[1:] == (0,) or starts


LOOP: dict[str, int] = {}


class Connection(sqlite3.Connection):
    """A database that tells when it is asked in the loop."""

    def cursor(self, *arguments: Any, **keywords: Any) -> Any:
        if is_in_loop():
            print(f"{MARK} in the database: {''.join(traceback.format_stack(limit=12))!r}", flush=True)
        return super().cursor(*arguments, **keywords)


def note_loop(edge: Any) -> None:
    """Have the edge note its loop's thread once it serves."""
    live = edge._live

    async def noting(receive: Any, send: Any) -> None:
        async def told(message: Any) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                LOOP["thread"] = threading.get_ident()
            else:
                LOOP.clear()

        await live(receive, told)

    edge._live = noting


def main() -> None:
    """Run the command line."""
    from deploy import frontend

    connect = sqlite3.dbapi2.connect
    sqlite3.dbapi2.connect = lambda *given, **named: connect(*given, **{"factory": Connection} | named)
    for owner, name in WAITING:
        watch(owner, name)
    note_loop(importlib.import_module("frontend_site.asgi").application)
    frontend.main()


if __name__ == "__main__":
    from common.process.logs import configure_logs

    sys.argv[0] = "frontend"
    configure_logs("frontend")
    main()
