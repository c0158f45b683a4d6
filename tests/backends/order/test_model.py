"""The bounds of an assignment, the key of an order that has none, and what makes two orders the same."""

import pytest

from backends.failures import InvalidArgument
from backends.order.model import check_assign_leader, is_same_intent, order_of
from common.bounds import MAX_HOLD_S, MAX_NUMBER, MAX_REPLICA_ID
from protos import catalog_pb2, order_pb2


def assignment(peer_id: int = 1, address: str = "order-1:50054", **fields: int) -> order_pb2.AssignLeaderRequest:
    peer = order_pb2.Peer(replica_id=peer_id, address=address)
    request = order_pb2.AssignLeaderRequest(leader_id=1, peers=[peer])
    for name, value in fields.items():
        setattr(request, name, value)
    return request


@pytest.mark.parametrize(
    ("field", "least", "most", "name"),
    [
        ("leader_id", 1, MAX_REPLICA_ID, "leader_id"),
        ("expected_epoch", 0, MAX_NUMBER, "expected_epoch"),
        ("hold_s", 0, MAX_HOLD_S, "hold_s"),
        ("peer_id", 1, MAX_REPLICA_ID, "replica_id"),
    ],
)
def test_assignment_is_taken_within_its_bounds_and_not_beyond(field, least, most, name):
    for value in (least, most):
        check_assign_leader(assignment(**{field: value}))
    for value in (least - 1, most + 1):
        with pytest.raises(InvalidArgument, match=f"^INVALID_ARGUMENT INVALID_ARGUMENT: {name} {value} "):
            check_assign_leader(assignment(**{field: value}))


def test_address_of_a_peer_is_a_host_and_a_port():
    with pytest.raises(InvalidArgument, match=r"address of replica 1.*nowhere"):
        check_assign_leader(assignment(address="nowhere"))


def test_order_has_all_that_was_asked_for_and_a_key_of_its_own_if_it_was_given_none():
    asked = order_pb2.PlaceOrderRequest(
        stock_name="ACME", order_type=catalog_pb2.SELL, quantity=3, account="a", idempotency_key="k"
    )
    assert order_of(asked) == catalog_pb2.NewOrder(
        stock_name="ACME", order_type=catalog_pb2.SELL, quantity=3, account="a", idempotency_key="k"
    )
    asked.ClearField("idempotency_key")
    keys = {order_of(asked).idempotency_key for _ in range(3)}
    assert len(keys) == 3
    assert {len(key) for key in keys} == {32}


@pytest.mark.parametrize("other", [{}, {"stock_name": "T"}, {"order_type": catalog_pb2.SELL}, {"quantity": 4}])
def test_orders_are_the_same_if_they_trade_the_same(other):
    order = order_pb2.Order(stock_name="ACME", order_type=catalog_pb2.BUY, quantity=3, account="a")
    fields = {"stock_name": "ACME", "order_type": catalog_pb2.BUY, "quantity": 3} | other
    assert is_same_intent(order, catalog_pb2.NewOrder(**fields)) == (not other)
