"""What a check has found."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.checker.history import ListOrders, LookUpOrder, Operation, PlaceOrder, ReadStock


class Kind(StrEnum):
    """Which promise is broken. The names I1 to I10 are those of docs/PROTOCOL.md, 8."""

    BAD_JOURNAL = "I1: the journal is not well formed, dense and chained"
    FILES_DIFFER = "I2: a replica's log is not the journal"
    LOST = "I3: an answer shows an order that the journal does not hold"
    DIFFERENT = "I1: an answer shows another order than the journal holds"
    TWO_ORDERS = "I4: a key has two orders"
    EXECUTED = "I4: an order that was answered as not executed is in the journal"
    UNASKED = "I4: an order that nobody asked for is in the journal"
    WRONG_REUSE = "I4: a key was called reused without reason"
    NOT_CONSERVED = "I5: a quantity leaves its bounds"
    OUT_OF_ORDER = "I6: the order of numbers is not that of time"
    UNTRUE_READ = "I6: an answer was not true at any moment between question and answer"
    UNTRUE_REFUSAL = "I6: a refusal had no reason at any moment since its key was first sent"
    LIST_HOLE = "I6: a list lacks an order"
    LIST_REPEATS = "I6: a list repeats an order or is not in order"
    LIST_FILTER = "I6: a list shows an order that its filters exclude"
    STALE_CACHE = "I7: a cached quantity was not true in its last second, or is from before the process's own order"


@dataclass(frozen=True)
class Violation:
    """One broken promise, with the operations that show it."""

    kind: Kind
    message: str
    operations: tuple[Operation, ...] = ()

    def __str__(self) -> str:
        return "\n    ".join([f"{self.kind.value}: {self.message}", *map(describe, self.operations)])


def report(violations: Sequence[Violation], most: int = 20) -> str:
    """Return the violations as a text for people, `most` of them in full."""
    lines = [f"{len(violations)} violations", *map(str, violations[:most])]
    if len(violations) > most:
        lines.append(f"... and {len(violations) - most} more")
    return "\n".join(lines)


def describe(operation: Operation) -> str:
    """Return one line: when, by whom, what was asked, what was answered."""
    return f"[{operation.invoked:.6f} .. {operation.ended:.6f}] {operation.frontend}: {_what(operation)}"


def _what(operation: Operation) -> str:
    match operation:
        case PlaceOrder():
            asked = f"{operation.key} {operation.order_type} {operation.quantity} {operation.name}"
            answer = f"order {operation.order.number}" if operation.order else operation.outcome.value
            details = [operation.reason, operation.available, operation.reused_number]
            return " ".join([asked, "->", answer, *(f"({detail})" for detail in details if detail is not None)])
        case ReadStock():
            way = "cached" if operation.cached else "uncached"
            return f"{way} {operation.name} -> {'no such stock' if operation.quantity is None else operation.quantity}"
        case LookUpOrder():
            return f"order {operation.number} -> {'found' if operation.order else 'no such order'}"
        case ListOrders():
            numbers = [order.number for page in operation.pages for order in page.orders]
            shown = f"{len(numbers)} orders" + (f" {numbers[0]}..{numbers[-1]}" if numbers else "")
            latest = ", ".join(str(page.latest) for page in operation.pages[-3:])
            direction = "desc" if operation.descending else "asc"
            return f"list {direction} after {operation.after_number} -> {shown}, latest {latest}"
