from benchmarks.order_reads import random_order_requests


def test_all_orders_are_asked_for_at_random():
    make = random_order_requests(10, seed=1)
    paths = {make().split()[1] for _ in range(300)}
    assert paths == {f"/orders/{number}".encode() for number in range(1, 11)}
