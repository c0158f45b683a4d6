"""What has been decided and told to clients in a simulated run: most of the invariants are checked against it."""

from backends.row import Row
from protos import order_pb2
from tests.simulation.nodes import STOCKS
from tests.simulation.world import World


class Violation(AssertionError):
    """An invariant does not hold."""


class History:
    """What the journal has shown, row by row, and what clients were told: I1 to I6 of docs/PROTOCOL.md."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rows: list[Row] = []
        self.chains: list[int] = []
        self.number_by_key: dict[str, int] = {}
        self.quantities = dict.fromkeys(STOCKS, 50)
        self.acked: dict[str, int] = {}
        self.abandoned: set[str] = set()  # answered not_executed, and not tried again

    def violated(self, what: str) -> Violation:
        return Violation(what)

    def add(self, row: Row) -> None:
        number = len(self.rows) + 1
        key = row.idempotency_key
        if row.transaction_number != number:
            raise self.violated(f"I1: row {row.transaction_number} stands at {number}")
        if key in self.number_by_key:
            raise self.violated(f"I4: key {key} made orders {self.number_by_key[key]} and {number}")
        if key in self.abandoned:
            raise self.violated(f"I4: {key} was answered not_executed and is order {number}")
        sign = 1 if row.order_type == "sell" else -1
        self.quantities[row.stock_name] += sign * row.quantity
        if self.quantities[row.stock_name] < 0:
            raise self.violated(f"I5: {row.stock_name} is at {self.quantities[row.stock_name]} behind order {number}")
        self.rows.append(row)
        self.chains.append(row.chain)
        self.number_by_key[key] = number
        self.world.note(f"decided {number} {key} {row.order_type} {row.quantity} {row.stock_name}")

    def acknowledge(self, order: order_pb2.Order, wanted: order_pb2.NewOrder, floor: int) -> None:
        """`floor`: the highest number acknowledged before the client first sent this key."""
        number, key = order.transaction_number, order.idempotency_key
        self.world.note(f"acknowledged {number} {key}")
        if self.number_by_key.get(key) != number:
            raise self.violated(f"I1: {key} was acknowledged as {number}, decided as {self.number_by_key.get(key)}")
        if key != wanted.idempotency_key or order.quantity != wanted.quantity:
            raise self.violated(f"I4: {wanted.idempotency_key} was answered with the order of {key}")
        if number <= floor:
            raise self.violated(f"I6: {key} is order {number}, but {floor} was acknowledged before it was sent")
        if self.acked.get(key, number) != number:
            raise self.violated(f"I1: {key} was acknowledged as {self.acked[key]} and as {number}")
        self.acked[key] = number

    def abandon(self, key: str) -> None:
        self.world.note(f"not executed {key}")
        if key in self.number_by_key:
            raise self.violated(f"I4: {key} was answered not_executed and is order {self.number_by_key[key]}")
        self.abandoned.add(key)
