import json

from benchmarks.mixed import mixed_requests
from benchmarks.traffic import HOT, TEN, order_requests


def key_of(request: bytes) -> bytes:
    return next(line for line in request.split(b"\r\n") if line.startswith(b"Idempotency-Key: "))


def test_orders_go_through_the_stocks_as_buys_and_sells_each_under_a_key_of_its_own():
    one, other = order_requests(TEN), order_requests(TEN)
    requests = [one() for _ in range(40)] + [other() for _ in range(40)]
    bodies = [json.loads(request.partition(b"\r\n\r\n")[2]) for request in requests]
    assert len({key_of(request) for request in requests}) == 80
    for name in TEN:
        assert [body["type"] for body in bodies if body["name"] == name].count("buy") == 4
    assert {body["quantity"] for body in bodies} == {1}


def test_a_part_of_mixed_requests_are_orders():
    for probability, least, most in ((0.0, 0, 0), (0.4, 300, 500), (1.0, 1000, 1000)):
        make = mixed_requests(HOT, probability, seed=1)
        orders = sum(make().startswith(b"POST") for _ in range(1000))
        assert least <= orders <= most
