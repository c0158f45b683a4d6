"""One request as it stands before Django: its head, its body once that is read, and whether its client is still there.

The messages: https://asgi.readthedocs.io/en/latest/specs/www.html
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from common.calls.reasons import Reason
from trading.api.errors import ApiError
from trading.api.order_key import BODY_IS_COMING
from trading.api.request_id import usable_id
from trading.market.order_client import ORDER_BUDGET_S

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# A body has come so long after its head, or never comes.
BODY_TIMEOUT_S = 10.0
# An order whose body has left less of its time than this is not begun.
LEAST_BUDGET_S = 0.3
SWEEP_S = 0.25
# Under this name a server that knows tells whether a request's client is gone: a function of nothing.
IS_GONE = "bourse.is_gone"


class ClientGone(Exception):
    """The client has closed the connection: there is nobody to answer."""


class EdgeRequest:
    """A request, as ASGI hands it over. What answers it finds here what Django's requests have of the same name.

    Attributes:
        headers: by name in lower case; of one that is given more than once, the last.
        has_twins: whether one is.
        arrived: when its head had come, by time.perf_counter.
        meta: what the views are told beside the headers, as in WSGI's environ.
        body: the whole one, once it was read.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.arrived = time.perf_counter()
        self.scope = scope
        self.receive = receive
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.has_twins = len(self.headers) != len(scope["headers"])
        self.bourse_request_id = usable_id(self.headers.get(b"x-request-id", b"").decode("latin-1"))
        self.meta: dict[str, Any] = {}
        self.body: bytes | None = None
        self.bourse_order_key: str | None

    @property
    def META(self) -> dict[str, Any]:
        """What names an order, as WSGI has it: all that is looked for here."""
        meta: dict[str, Any] = {BODY_IS_COMING: self.body is None and self.announced_length != 0}
        key = self.headers.get(b"idempotency-key")
        return meta if key is None else meta | {"HTTP_IDEMPOTENCY_KEY": key.decode("latin-1")}

    def is_wanted(self) -> bool:
        """Whether the client still waits for the answer, as far as the server knows."""
        is_gone = self.scope.get(IS_GONE)
        return is_gone is None or not is_gone()

    @property
    def announced_length(self) -> int | None:
        """How many bytes its body has; None if it is sent in chunks."""
        if b"transfer-encoding" in self.headers:
            return None
        text = self.headers.get(b"content-length", b"0")
        return int(text) if len(text) < 19 and text.isdigit() else 0  # what else there may be, the server refuses

    def order_terms(self) -> dict[str, Any]:
        """Return what `services.place_order` is told of an order that came in this request: `budget_s`, what is left of
        its time, counted from the head's arrival; and `is_wanted`.

        Raises:
            ApiError: REQUEST_TIMEOUT: its time is nearly up.
        """
        left_s = ORDER_BUDGET_S - (time.perf_counter() - self.arrived)
        if left_s < LEAST_BUDGET_S:
            raise ApiError(
                Reason.BODY_LATE, "The order's body came too late: its time was nearly up. It was not begun."
            )
        return {"budget_s": left_s, "is_wanted": self.is_wanted}


class Bodies:
    """Reads bodies, each with a deadline, and leaves off with all of them at a stop. For the loop's thread alone."""

    def __init__(self, timeout_s: float = BODY_TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        # When each must have come, the first in front: one clock for all, as most are here with their heads.
        self._deadlines: dict[asyncio.Timeout, float] = {}
        self._is_stopping = False

    async def read(self, request: EdgeRequest, most_bytes: int) -> bytes:
        """Return the body. Of a larger one than `most_bytes`, a piece that is longer than that.

        Raises:
            ApiError: REQUEST_TIMEOUT; SHUTTING_DOWN.
            ClientGone.
        """
        pieces: list[bytes] = []
        size, announced = 0, request.announced_length
        limit = asyncio.timeout(0.0 if self._is_stopping else None)
        try:
            async with limit:
                self._deadlines[limit] = request.arrived + self._timeout_s
                while size != announced and size <= most_bytes:
                    message = await request.receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGone
                    piece = message.get("body", b"")
                    pieces.append(piece)
                    size += len(piece)
                    if not message.get("more_body"):
                        break
        except TimeoutError:
            if self._is_stopping:
                raise ApiError(Reason.SHUTTING_DOWN, "This frontend is stopping; nothing was done.") from None
            whole = "an unannounced number of" if announced is None else f"its {announced}"
            raise ApiError(Reason.BODY_LATE, f"The body has stopped after {size} of {whole} bytes.") from None
        finally:
            self._deadlines.pop(limit, None)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def sweep(self) -> None:
        """Wait no more for bodies that are late, over and over, until this is cancelled."""
        while True:
            await asyncio.sleep(SWEEP_S)
            now = time.perf_counter()
            while self._deadlines and next(iter(self._deadlines.values())) <= now:
                self._give_up(next(iter(self._deadlines)))

    def stop(self) -> None:
        """Wait for no body any more."""
        self._is_stopping = True
        while self._deadlines:
            self._give_up(next(iter(self._deadlines)))

    def _give_up(self, limit: asyncio.Timeout) -> None:
        del self._deadlines[limit]
        limit.reschedule(asyncio.get_running_loop().time())
