"""Look-ups and lists at replicas that hold all, lag, or are alone."""

import pytest

from backends.failures import CatalogUnavailable, NotFound
from common.failures import RpcFailure
from protos import order_pb2
from tests.backends.order.direct import (
    buy,
)


def test_any_replica_answers_a_number_that_it_lacks_through_the_catalog(led):
    led.stop_replica(1)
    order = led.place(3, buy("a"))
    led.start_replica(1)
    assert led.network.run(led.readers[1].look_up(1)) == order
    with pytest.raises(NotFound) as caught:
        led.network.run(led.readers[1].look_up(2))
    assert caught.value.number("last_number") == 1


def test_held_order_is_found_without_the_catalog_and_others_are_unknown(led):
    led.place(3, buy("a"))
    led.stop_catalog()
    assert led.network.run(led.readers[1].look_up(1)).idempotency_key == "a"
    with pytest.raises(CatalogUnavailable):
        led.network.run(led.readers[1].look_up(2))


def test_list_of_a_replica_that_lags_is_unavailable(led):
    led.stop_replica(1)
    led.place(3, buy("a"))
    led.start_replica(1)
    with pytest.raises(RpcFailure) as caught:
        led.network.run(led.readers[1].list_orders(order_pb2.ListOrdersRequest(limit=1)))
    assert caught.value.reason == "LAGGING"
    orders = led.network.run(led.readers[3].list_orders(order_pb2.ListOrdersRequest(limit=1))).orders
    assert [order.transaction_number for order in orders] == [1]
