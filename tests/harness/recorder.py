"""A client of the REST interface that keeps a history: it asks, and writes down what it heard."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx

from tests.checker.history import (
    ListOrders,
    LookUpOrder,
    Operation,
    Outcome,
    Page,
    PlaceOrder,
    ReadStock,
    Reason,
    ShownOrder,
)
from tests.harness.rest import Rest

RETRY_PAUSE_S = 0.05
SETTLED = (Outcome.ORDER, Outcome.REFUSED, Outcome.KEY_REUSED)
REASONS = {
    "STOCK_NOT_FOUND": Reason.UNKNOWN_STOCK,
    "INSUFFICIENT_STOCK": Reason.INSUFFICIENT_STOCK,
    "STOCK_LIMIT": Reason.STOCK_LIMIT,
}


@dataclass
class Intent:
    """An order that somebody wants. All requests for it have its key. Times are of time.monotonic.

    Attributes:
        requests: what was asked and answered so far.
        ended: when it was settled, or given up; 0.0 before.
    """

    key: str
    name: str
    order_type: str
    quantity: int
    started: float = 0.0
    ended: float = 0.0
    requests: list[PlaceOrder] = field(default_factory=list)

    @property
    def order(self) -> ShownOrder | None:
        """The order as it was acknowledged, None while it was not."""
        return next((request.order for request in self.requests if request.order), None)

    @property
    def number(self) -> int | None:
        """Its transaction number, None while it was not acknowledged."""
        return self.order.number if self.order else None

    @property
    def is_settled(self) -> bool:
        """Whether it was answered with an order or a refusal."""
        return any(request.outcome in SETTLED for request in self.requests)


class Recorder:
    """Asks the frontends and keeps what was asked and answered. Any number of threads may use it.

    Attributes:
        operations: all that were answered or given up, in no order.
        wrong: answers that docs/API.md does not know.
        failed_reads: how many reads were answered with 503, or not at all.
    """

    def __init__(self, rests: Mapping[str, Rest]) -> None:
        self.rests = dict(rests)
        self.operations: list[Operation] = []
        self.wrong: list[str] = []
        self.failed_reads = 0

    def place(self, intent: Intent, frontend: str = "frontend") -> PlaceOrder:
        """Ask once for an order."""
        invoked = time.monotonic()
        intent.started = intent.started or invoked
        answer = self._ask(
            lambda: self.rests[frontend].place(intent.name, intent.order_type, intent.quantity, intent.key)
        )
        request = PlaceOrder(
            frontend=frontend,
            invoked=invoked,
            ended=time.monotonic(),
            key=intent.key,
            name=intent.name,
            order_type=intent.order_type,
            quantity=intent.quantity,
            **self._placed(answer),
        )
        intent.requests.append(request)
        if request.outcome in SETTLED:
            intent.ended = request.ended
        self.operations.append(request)
        return request

    def settle(self, intent: Intent, frontends: Sequence[str], give_up_after_s: float) -> None:
        """Ask until the order is settled or the time is up: another frontend whenever there was no answer at all."""
        turn = 0
        while not intent.is_settled:
            request = self.place(intent, frontends[turn % len(frontends)])
            if not intent.is_settled and request.ended - intent.started > give_up_after_s:
                intent.ended = request.ended
                return
            if request.outcome is Outcome.NO_ANSWER:
                turn += 1
            if not intent.is_settled:
                time.sleep(RETRY_PAUSE_S)

    def read_stock(
        self, name: str, frontend: str = "frontend", *, cached: bool = False, in_thread: bool = False
    ) -> int | None:
        """Return a stock's quantity, None if it was not answered. `in_thread`: by the view, where it may be held up."""
        headers = {} if cached else {"Cache-Control": "no-cache"}
        if in_thread:
            headers["Accept"] = "application/json, text/plain;q=0.1"
        invoked = time.monotonic()
        data = self._read(frontend, f"/stocks/{name}", headers)
        if data is None:
            return None
        quantity: int = data["data"]["quantity"]
        self.operations.append(ReadStock(frontend, invoked, time.monotonic(), name, quantity, cached))
        return quantity

    def look_up(self, number: int, frontend: str = "frontend") -> None:
        """Look an order up."""
        invoked = time.monotonic()
        data = self._read(frontend, f"/orders/{number}")
        if data is not None:
            order = shown_order(data["data"]) if "data" in data else None
            self.operations.append(LookUpOrder(frontend, invoked, time.monotonic(), number, order))

    def list_orders(
        self,
        limit: int,
        frontend: str = "frontend",
        *,
        pages: int = 1,
        names: Sequence[str] = (),
        after_number: int | None = None,
    ) -> None:
        """List so many pages at most: the newest orders first, or those behind `after_number`, the oldest first."""
        parameters = [("limit", limit), *(("name", name) for name in names)]
        if after_number is not None:
            parameters += [("direction", "asc"), ("after_number", after_number)]
        path, read = f"/orders?{urlencode(parameters)}", list[Page]()
        while path and len(read) < pages:
            invoked = time.monotonic()
            data = self._read(frontend, path)
            if data is None:
                break
            orders = tuple(shown_order(order) for order in data["data"])
            read.append(Page(invoked, time.monotonic(), orders, data["page"]["latest"], data["page"]["has_more"]))
            path = data["page"]["next"]
        if read:
            self.operations.append(
                ListOrders(frontend, tuple(read), after_number is None, after_number or 0, tuple(names))
            )

    def _read(self, frontend: str, path: str, headers: Mapping[str, str] | None = None) -> dict[str, Any] | None:
        """Return the body of a 200 or a 404, None for a 503 or no answer."""
        answer = self._ask(lambda: self.rests[frontend].get(path, headers))
        if answer is not None and answer.status_code in (200, 404):
            body: dict[str, Any] = answer.json()
            return body
        if answer is not None and answer.status_code != 503:
            self._note_wrong(answer)
        self.failed_reads += 1
        return None

    def _placed(self, answer: httpx.Response | None) -> dict[str, Any]:
        """Return the fields of a PlaceOrder that say what was answered."""
        if answer is None:
            return {"outcome": Outcome.NO_ANSWER}
        body = answer.json()
        if answer.status_code == 201:
            return {"outcome": Outcome.ORDER, "order": shown_order(body["data"])}
        error = body["error"]
        details = error["details"][0] if error["details"] else {}
        if answer.status_code == 422:
            return {"outcome": Outcome.KEY_REUSED, "reused_number": details.get("transaction_number")}
        if answer.status_code in (404, 409):
            reason, available = REASONS[error["reason"]], details.get("available")
            return {"outcome": Outcome.REFUSED, "reason": reason, "available": available}
        if answer.status_code not in (503, 504):
            self._note_wrong(answer)
        return {"outcome": Outcome.NOT_EXECUTED if error["outcome"] == "not_executed" else Outcome.UNKNOWN}

    def _note_wrong(self, answer: httpx.Response) -> None:
        self.wrong.append(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:300]}")

    @staticmethod
    def _ask(ask: Callable[[], httpx.Response]) -> httpx.Response | None:
        try:
            return ask()
        except httpx.TransportError:
            return None


def shown_order(data: Mapping[str, Any]) -> ShownOrder:
    """Return the order that an answer shows."""
    return ShownOrder(
        number=data["number"],
        name=data["name"],
        order_type=data["type"],
        quantity=data["quantity"],
        price=data["price_decimal"],
        key=data["client_order_id"],
        created_at=data["created_at"],
    )
