"""What the messages to a replica must look like and mean; no I/O."""

import uuid
from typing import Any

from backends.checks import check_within
from backends.failures import InvalidArgument
from common.bounds import MAX_HOLD_S, MAX_NUMBER, MAX_REPLICA_ID
from common.process.config import ConfigError, parse_address
from protos import catalog_pb2, order_pb2


def check_assign_leader(request: order_pb2.AssignLeaderRequest) -> None:
    """Raise InvalidArgument, naming field and value, if a field is out of bounds or an address is not host:port."""
    check_within("leader_id", request.leader_id, 1, MAX_REPLICA_ID)
    check_within("expected_epoch", request.expected_epoch, 0, MAX_NUMBER)
    check_within("hold_s", request.hold_s, 0, MAX_HOLD_S)
    for peer in request.peers:
        _check_peer(peer)


def _check_peer(peer: order_pb2.Peer) -> None:
    check_within("replica_id", peer.replica_id, 1, MAX_REPLICA_ID)
    try:
        parse_address(peer.address, name=f"address of replica {peer.replica_id}")
    except ConfigError as error:
        raise InvalidArgument(str(error)) from error


def order_of(request: order_pb2.PlaceOrderRequest) -> catalog_pb2.NewOrder:
    """Return the order that is asked for; one that has no key gets a new one."""
    fields: dict[str, Any] = {
        field.name: getattr(request, field.name) for field in catalog_pb2.NewOrder.DESCRIPTOR.fields
    }
    if not request.HasField("idempotency_key"):
        fields["idempotency_key"] = uuid.uuid4().hex
    return catalog_pb2.NewOrder(**fields)


def is_same_intent(order: order_pb2.Order, wanted: catalog_pb2.NewOrder) -> bool:
    """Whether a recorded order is what was asked for: a key that names another one has been reused."""
    return (order.stock_name, order.order_type, order.quantity) == (
        wanted.stock_name,
        wanted.order_type,
        wanted.quantity,
    )
