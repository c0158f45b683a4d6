"""GET /events on an event loop: one stream sent to one client, by ASGI."""

import asyncio
from collections.abc import Coroutine, Sequence
from math import inf
from typing import Any

from trading.edge.request import Receive, Send
from trading.events.laps import Laps
from trading.events.stream import EventStream

# Each is small, as one waits for each client that does not read; so a turn may take several.
PIECES_A_TURN = 4
# How long a stream that is to end waits for a client that does not read its last piece.
LAST_PIECE_S = 1.0


async def stream_events(
    stream: EventStream, laps: Laps, receive: Receive, send: Send, headers: Sequence[tuple[bytes, bytes]]
) -> None:
    """Answer with a stream until its client has gone or it has ended, and close it, whatever happens.

    A client that does not read holds up this answer alone: the next piece is taken when the last one has been taken
    from us.

    Raises:
        Exception: what `send` or the stream raises.
    """
    try:
        await _until_over(_send_stream(stream, laps, send, headers), stream, laps, receive)
    finally:
        stream.close()


async def _until_over(work: Coroutine[Any, Any, None], stream: EventStream, laps: Laps, receive: Receive) -> None:
    sending = asyncio.create_task(work)
    gone = asyncio.create_task(_until_gone(receive))
    try:
        age_s = None if stream.remaining_s == inf else stream.remaining_s
        await asyncio.wait((sending, gone, laps.closed()), timeout=age_s, return_when=asyncio.FIRST_COMPLETED)
        if not gone.done():
            await asyncio.wait((sending,), timeout=LAST_PIECE_S)
        for task in (sending, gone):
            if task.done():
                task.result()
    finally:
        sending.cancel()
        gone.cancel()


async def _send_stream(stream: EventStream, laps: Laps, send: Send, headers: Sequence[tuple[bytes, bytes]]) -> None:
    while not (stream.begin() or stream.has_ended):
        await laps.wait(stream)
    await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
    while not stream.has_ended:
        for _piece in range(PIECES_A_TURN):
            piece = stream.take()
            if piece:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            if not stream.has_news:
                break
        await laps.wait(stream)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
