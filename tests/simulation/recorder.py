"""What the clients of a simulated run ask and are answered, as the checker of histories takes it (tests/checker)."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import Any

from common.bounds import price_text
from common.calls import reasons
from common.calls.failures import RpcFailure
from protos import catalog_pb2, order_pb2
from tests.checker.check import find_violations
from tests.checker.history import (
    History,
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
from tests.checker.violations import Violation
from tests.simulation import questions
from trading.reads.order_query import OrderFilters
from trading.reads.stock_reader import BYPASS, StockRead

Times = tuple[float, float]

_TYPE_NAMES = {catalog_pb2.BUY: "buy", catalog_pb2.SELL: "sell"}
_REASONS = {
    reasons.Reason.UNKNOWN_STOCK: Reason.UNKNOWN_STOCK,
    reasons.Reason.INSUFFICIENT_STOCK: Reason.INSUFFICIENT_STOCK,
    reasons.Reason.STOCK_LIMIT: Reason.STOCK_LIMIT,
}
# A frontend that is frozen, or a message that is very late, may go on with an order as long as a run takes.
ANY_TIME_S = 1000.0


class Recorder:
    """The operations of one run. Times are of the world's clock, at the client: when it asked, when it was answered."""

    def __init__(self) -> None:
        self._history = History("", {}, order_budget_s=ANY_TIME_S)
        self._unanswered: list[tuple[str, float, catalog_pb2.NewOrder]] = []

    def take_in_order(self, frontend: str, asked_at: float, wanted: catalog_pb2.NewOrder) -> None:
        """Take in that a client asks a frontend for an order; without an answer it may be executed at any time."""
        self._unanswered.append((frontend, asked_at, wanted))

    def take_in(self, frontend: str, times: Times, question: Any, answer: Any) -> None:
        """Take in what a client asked a frontend, and the answer or the RpcFailure; not a list, nor a failed read."""
        operation: Operation | None = None
        match question:
            case catalog_pb2.NewOrder():
                if (asked := (frontend, times[0], question)) in self._unanswered:
                    self._unanswered.remove(asked)
                operation = _placing(frontend, times, question, answer)
            case questions.ReadStock() if isinstance(answer, StockRead):
                stock = answer.stock
                operation = ReadStock(frontend, *times, stock.name, stock.quantity, cached=answer.cache != BYPASS)
            case questions.LookUpOrder() if isinstance(answer, order_pb2.Order):
                operation = LookUpOrder(frontend, *times, question.number, _shown(answer))
            case questions.LookUpOrder() if answer.reason is reasons.Reason.UNKNOWN_ORDER:
                operation = LookUpOrder(frontend, *times, question.number, None)
        if operation is not None:
            self._history.operations.append(operation)

    def take_in_list(self, filters: OrderFilters, pages: Sequence[tuple[Times, order_pb2.ListOrdersResponse]]) -> None:
        """Take in the pages of a list, at least one, from the first on; of any frontends."""
        shown = [
            Page(*times, tuple(map(_shown, page.orders)), page.last_number, has_more=page.resume_number > 0)
            for times, page in pages
        ]
        operation = ListOrders(
            "any",
            tuple(shown),
            descending=filters.direction == "desc",
            after_number=filters.after_number,
            names=filters.name,
            order_type=filters.type,
            key=filters.client_order_id,
        )
        self._history.operations.append(operation)

    def find_violations(self, cluster_id: str, initial: dict[str, int], files: dict[str, bytes]) -> list[Violation]:
        """Return what is wrong in all that was taken in, by the files that the run left behind."""
        silence = RpcFailure(reasons.Reason.NO_ANSWER, "no answer before the end")
        unanswered = [_placing(name, (at, inf), wanted, silence) for name, at, wanted in self._unanswered]
        operations = [*self._history.operations, *unanswered]
        return find_violations(
            replace(self._history, cluster_id=cluster_id, initial=initial, files=files, operations=operations)
        )


def _placing(
    frontend: str, times: Times, wanted: catalog_pb2.NewOrder, answer: order_pb2.PlaceOrderResponse | RpcFailure
) -> PlaceOrder:
    operation = PlaceOrder(
        frontend,
        *times,
        wanted.idempotency_key,
        wanted.stock_name,
        _TYPE_NAMES[wanted.order_type],
        wanted.quantity,
        _outcome(answer) if isinstance(answer, RpcFailure) else Outcome.ORDER,
    )
    if not isinstance(answer, RpcFailure):
        return replace(operation, order=_shown(answer.order))
    if operation.outcome is not Outcome.REFUSED:
        return operation
    available = answer.number("available") if answer.reason is reasons.Reason.INSUFFICIENT_STOCK else None
    return replace(operation, reason=_REASONS[answer.reason], available=available)


def _outcome(failure: RpcFailure) -> Outcome:
    """Return what a client takes a failure for."""
    if failure.reason in _REASONS:
        return Outcome.REFUSED
    if not failure.was_answered:
        return Outcome.NO_ANSWER if failure.was_sent else Outcome.NOT_EXECUTED
    # Not `failure.may_be_executed`: the frontend's rule is under test, here counts what it says.
    return Outcome.UNKNOWN if failure.reason.may_be_executed else Outcome.NOT_EXECUTED


def _shown(order: order_pb2.Order) -> ShownOrder:
    return ShownOrder(
        order.transaction_number,
        order.stock_name,
        _TYPE_NAMES[order.order_type],
        order.quantity,
        price_text(order.price_cents),
        order.idempotency_key,
        order.created_at,
    )
