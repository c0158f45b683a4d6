"""A client of the REST interface that does it right: docs/API.md is what it relies on.

    from examples.client import Client
    with Client("http://127.0.0.1:8081") as bourse:
        order = bourse.place("AAPL", "buy", 3)
        print(order.number, order.price * order.quantity)

It needs httpx, which `make run` does not bring: `.venv/bin/pip install httpx`.

- The key of an order is made before the order is first sent, and is sent again with every retry: whatever happens on
  the way, there is at most one order.
- Prices are exact decimals.
- A list is followed by its cursors to its end.
- A stream of events is opened again when it breaks, from the last event that was seen.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import Any

import httpx

ANSWER_WITHIN_S = 12.0  # an order is answered within 9 s
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
# Nothing was refused for good: the same request may be sent again. The key makes that safe for an order.
RETRIED = frozenset({429, 500, 502, 503, 504})
RECONNECT_S = 1.0
SILENCE_S = 40.0  # a stream of events that has not even brought a comment (every 15 s) for so long is dead


class BourseError(Exception):
    """An answer that is an error.

    Attributes:
        code: the HTTP status, 0 if there was no answer.
        reason: for programs, like INSUFFICIENT_STOCK.
        outcome: of an order: "not_executed" or "unknown".
    """

    def __init__(self, code: int, reason: str, message: str, outcome: str = "") -> None:
        super().__init__(f"{reason}: {message}")
        self.code = code
        self.reason = reason
        self.outcome = outcome


class OutcomeUnknown(BourseError):
    """Nobody could say in time whether the order was made. Place it again with this `key` to find out."""

    def __init__(self, error: BourseError, key: str) -> None:
        super().__init__(error.code, error.reason, f"{error}; the key is {key}", "unknown")
        self.key = key


@dataclass(frozen=True)
class Stock:
    """Price and quantity of one stock; `cache` is how the server's cache took part: HIT, MISS or BYPASS."""

    name: str
    price: Decimal
    quantity: int
    cache: str = ""


@dataclass(frozen=True)
class Order:
    """One order that was made."""

    number: int
    name: str
    type: str
    quantity: int
    price: Decimal
    client_order_id: str
    created_at: str


class Client:
    """One caller; use one for each thread. A context manager: at its end the connection is closed."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        patience_s: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`patience_s`: how long a request is repeated before its failure is raised; `transport`: for tests."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=ANSWER_WITHIN_S, transport=transport)
        self._patience_s = patience_s
        self._last_event_id = ""

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def stock(self, name: str) -> Stock:
        """Return one stock. Raises BourseError: STOCK_NOT_FOUND, or what did not end within the patience."""
        answer = self._send("GET", f"/stocks/{name}")
        data = answer.json()["data"]
        return Stock(data["name"], Decimal(data["price_decimal"]), data["quantity"], answer.headers["X-Cache"])

    def place(self, name: str, order_type: str, quantity: int, key: str | None = None) -> Order:
        """Place one order, and return it when it is safe on disk at every replica in sync.

        Give the `key` of an earlier attempt to settle that one; without it, this is a new order.

        Raises:
            OutcomeUnknown: the order may exist.
            BourseError: it does not: it was refused, or nothing was done although it was tried for long.
        """
        key = key or uuid.uuid4().hex
        body = {"name": name, "type": order_type, "quantity": quantity}
        headers = {"Idempotency-Key": key}
        return _order(self._send("POST", "/orders", key=key, json=body, headers=headers).json()["data"])

    def order(self, number: int) -> Order:
        """Return the order of this number. Raises BourseError: ORDER_NOT_FOUND."""
        return _order(self._send("GET", f"/orders/{number}").json()["data"])

    def stocks(self) -> Iterator[Stock]:
        """Yield all stocks by name."""
        for data in self._list("/stocks"):
            yield Stock(data["name"], Decimal(data["price_decimal"]), data["quantity"])

    def orders(self, **filters: Any) -> Iterator[Order]:
        """Return the orders that match (docs/API.md, 5), the newest first unless direction="asc", to the last one."""
        return map(_order, self._list(str(httpx.URL("/orders", params=filters))))

    def events(
        self, on_open: Callable[[], None] = lambda: None, **filters: Any
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the type and data of each event, for ever (docs/API.md, 8). A break loses nothing.

        What happens after the first call of `on_open` is seen; it is called whenever the stream is open (again).

        Raises:
            BourseError: the request was refused for good.
        """
        self._last_event_id = ""
        while True:
            headers = {"Accept": "text/event-stream"}
            if self._last_event_id:
                headers["Last-Event-ID"] = self._last_event_id
            try:
                with self._http.stream("GET", "/events", params=filters, headers=headers, timeout=SILENCE_S) as answer:
                    if answer.is_success:
                        on_open()
                        yield from self._read_events(answer.iter_lines())
                    elif answer.status_code not in RETRIED:
                        answer.read()
                        raise _error(answer)
            except httpx.TransportError:
                pass  # cut off, or nobody there: ask again
            time.sleep(RECONNECT_S)

    def _list(self, path: str | None) -> Iterator[dict[str, Any]]:
        """Yield the entries of a list, page after page."""
        while path is not None:
            page = self._send("GET", path).json()
            yield from page["data"]
            path = page["page"]["next"]

    def _read_events(self, lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        fields: dict[str, str] = {}
        for line in lines:
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            else:  # the end of an event; one that is cut off before it does not count
                self._last_event_id = fields.get("id", self._last_event_id)
                if "data" in fields:
                    yield fields["event"], json.loads(fields["data"])
                fields = {}

    def _send(self, method: str, path: str, key: str = "", **arguments: Any) -> httpx.Response:
        """Send a request until it is answered for good or the patience is over."""
        deadline = time.monotonic() + self._patience_s
        pause_s, is_unknown = FIRST_PAUSE_S, False
        while True:
            retry_after_s = 0.0
            try:
                answer = self._http.request(method, path, **arguments)
                if answer.is_success:
                    return answer
                failure = _error(answer)
                if answer.status_code not in RETRIED:
                    raise failure
                retry_after_s = float(answer.headers.get("Retry-After", 0))
            except httpx.TransportError as error:
                failure = BourseError(0, "NO_ANSWER", str(error), outcome="unknown")
            # Once an attempt may have been executed, a later "not executed" says nothing about that one.
            is_unknown = is_unknown or failure.outcome == "unknown"
            wait_s = max(pause_s, retry_after_s)
            if time.monotonic() + wait_s >= deadline:
                raise OutcomeUnknown(failure, key) if key and is_unknown else failure
            time.sleep(wait_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def _error(answer: httpx.Response) -> BourseError:
    try:
        error = answer.json()["error"]
        return BourseError(answer.status_code, error["reason"], error["message"], error.get("outcome", ""))
    except (ValueError, LookupError, TypeError):  # not from Bourse: from a proxy in between
        return BourseError(answer.status_code, "HTTP_ERROR", answer.text[:200], outcome="unknown")


def _order(data: dict[str, Any]) -> Order:
    return Order(
        number=data["number"],
        name=data["name"],
        type=data["type"],
        quantity=data["quantity"],
        price=Decimal(data["price_decimal"]),
        client_order_id=data["client_order_id"],
        created_at=data["created_at"],
    )
