"""An order as messages and rows say it; no I/O."""

from backends.checks import (
    check_account,
    check_idempotency_key,
    check_order_quantity,
    check_stock_name,
    check_within,
    order_type_name,
)
from backends.failures import InvalidArgument
from common.bounds import MAX_NUMBER, MAX_REPLICA_ID
from common.process.config import ConfigError, parse_address
from common.rows import Row
from protos import catalog_pb2, order_pb2

MAX_HOLD_S = 86_400
_TYPE_BY_NAME = {"buy": catalog_pb2.BUY, "sell": catalog_pb2.SELL}


def check_new_order(order: order_pb2.NewOrder) -> None:
    """Raise InvalidArgument, naming field and value, if the order is outside the bounds of protos/catalog.proto."""
    check_stock_name(order.stock_name)
    order_type_name(order.order_type)
    check_order_quantity(order.quantity)
    check_idempotency_key(order.idempotency_key)
    check_account(order.account)


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


def trade_from_order(order: order_pb2.NewOrder) -> catalog_pb2.Trade:
    """Return the trade that the catalog is asked for."""
    return catalog_pb2.Trade(
        stock_name=order.stock_name,
        order_type=order.order_type,
        quantity=order.quantity,
        account=order.account,
        idempotency_key=order.idempotency_key,
        request_id=order.request_id,
    )


def order_from_row(row: Row) -> order_pb2.Order:
    """Return the order that a row of the log records."""
    return order_pb2.Order(
        transaction_number=row.transaction_number,
        epoch=row.epoch,
        stock_name=row.stock_name,
        order_type=_TYPE_BY_NAME[row.order_type],
        quantity=row.quantity,
        price_cents=row.price_cents,
        account=row.account,
        idempotency_key=row.idempotency_key,
        created_at=row.created_at,
    )


def is_same_intent(order: order_pb2.Order, wanted: order_pb2.NewOrder) -> bool:
    """Whether a recorded order is what was asked for: a key that names another one has been reused."""
    return (order.stock_name, order.order_type, order.quantity) == (
        wanted.stock_name,
        wanted.order_type,
        wanted.quantity,
    )
