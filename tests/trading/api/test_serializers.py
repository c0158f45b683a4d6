"""What is asked for in a hurry must be what the serializer has; how the views use it stands in their own tests."""

from typing import Any

from trading.api.serializers import PlaceOrderSerializer, plain_order

ODD_NAMES = ["ACME", "a" * 32, "", "a" * 33, "a b", "ä", "ACME\n", 1, True, None, ["ACME"], {}]
ODD_TYPES = ["buy", "sell", "Buy", "", 1, None, ["buy"], {"buy": 1}]
ODD_QUANTITIES = [1, 10**9, 10**9 + 1, 0, -1, True, 1.0, "1", None, [1], 10**30]


def test_a_plain_order_is_one_that_the_serializer_accepts_and_no_other():
    right: dict[str, Any] = {"name": "ACME", "type": "buy", "quantity": 1}
    bodies: list[Any] = [{**right, "name": odd} for odd in ODD_NAMES]
    bodies += [{**right, "type": odd} for odd in ODD_TYPES] + [{**right, "quantity": odd} for odd in ODD_QUANTITIES]
    bodies += [{key: right[key] for key in right if key != missing} for missing in right]
    bodies += [{**right, "client_order_id": "mine"}, {**right, "price": 1}, [right], "ACME", 1, None, {}]
    accepted = 0
    for body in bodies:
        serializer = PlaceOrderSerializer(data=body)
        expected = dict(serializer.validated_data) if serializer.is_valid() else None
        if expected is not None:
            expected.pop("client_order_id", None)
        assert plain_order(body) == expected, body
        accepted += expected is not None
    assert accepted == 2 + 2 + 2 + 1
