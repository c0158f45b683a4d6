"""What the caller of a refused order is told, the first time and again."""

import pytest

from backends.failures import InvalidArgument
from backends.order.refusals import Refusals, failure_from_refusal
from common.calls.reasons import Reason
from protos import catalog_pb2


def order(key: str = "k", account: str = "", quantity: int = 9) -> catalog_pb2.NewOrder:
    return catalog_pb2.NewOrder(stock_name="ACME", quantity=quantity, idempotency_key=key, account=account)


@pytest.mark.parametrize(
    ("name", "available", "told", "metadata"),
    [
        ("UNKNOWN_STOCK", 0, "NOT_FOUND UNKNOWN_STOCK: no stock is named 'ACME'", {}),
        (
            "INSUFFICIENT_STOCK",
            2,
            "FAILED_PRECONDITION INSUFFICIENT_STOCK: stock 'ACME': 2 left, 9 asked",
            {"available": "2"},
        ),
        (
            "STOCK_LIMIT",
            0,
            "FAILED_PRECONDITION STOCK_LIMIT: stock 'ACME' would hold more than 10^15 shares",
            {},
        ),
        ("DISK_FULL", 0, "RESOURCE_EXHAUSTED DISK_FULL: the catalog's disk is full", {}),
        (
            "NEWER",
            0,
            "INVALID_ARGUMENT INVALID_ARGUMENT: the catalog refused the order of 9 'ACME': NEWER",
            {},
        ),
    ],
)
def test_refusal_names_the_values(name, available, told, metadata):
    failure = failure_from_refusal(name, available, order())
    assert (str(failure), failure.metadata) == (told, metadata)
    assert isinstance(failure, InvalidArgument) == (name == "NEWER")


def test_refused_key_gets_its_refusal_again_and_another_account_does_not():
    refusals = Refusals()
    assert refusals.get(order()) is None
    refusals.remember(order(), catalog_pb2.Refusal(reason="INSUFFICIENT_STOCK", available=2))
    refusals.remember(order("other"), catalog_pb2.Refusal(reason="UNKNOWN_STOCK"))
    again, other = refusals.get(order(quantity=1)), refusals.get(order("other"))
    assert again is not None
    assert other is not None
    assert again.message == "key 'k' was refused before (INSUFFICIENT_STOCK, 2 left): make a new key"
    assert (again.reason, again.metadata) == (Reason.INSUFFICIENT_STOCK, {"available": "2"})
    assert other.message == "key 'other' was refused before (UNKNOWN_STOCK): make a new key"
    assert (other.reason, other.metadata) == (Reason.UNKNOWN_STOCK, {})
    assert refusals.get(order(account="a")) is None


def test_refusal_that_heals_is_not_kept():
    refusals = Refusals()
    refusals.remember(order(), catalog_pb2.Refusal(reason="DISK_FULL"))
    assert refusals.get(order()) is None
