import json

from benchmarks.bourse import missing_orders
from common.rows import HEADER

LOG = (
    HEADER + b"1,1,HOT,buy,1,123.45,,key-1,2026-01-01T00:00:00.000000Z,00000000\n"
    b"2,1,HOT,sell,2,123.45,,key-2,2026-01-01T00:00:00.000000Z,00000000\n"
)


def answer(number: int, key: str, **changes: object) -> bytes:
    order_type = "buy" if number == 1 else "sell"
    order = {"transaction_number": number, "name": "HOT", "type": order_type, "quantity": number}
    return json.dumps({"data": order | {"client_order_id": key} | changes}).encode()


def test_acknowledged_orders_are_found():
    assert missing_orders(LOG, [answer(2, "key-2"), answer(1, "key-1")]) == []


def test_an_order_that_is_lost_or_another_one_is_told():
    assert len(missing_orders(LOG, [answer(3, "key-3")])) == 1
    assert len(missing_orders(LOG, [answer(2, "key-x"), answer(1, "key-1", quantity=5)])) == 2
    many = missing_orders(LOG, [answer(number, "key") for number in range(3, 13)])
    assert len(many) == 4
    assert many[-1] == "and 7 more"
