"""What processes of neighbouring versions say to each other while they are upgraded one by one."""

import pytest
from google.protobuf.message import Message

from common.calls.network import CARRIED
from protos import catalog_pb2, order_pb2

WANTED = catalog_pb2.NewOrder(
    stock_name="A", order_type=catalog_pb2.BUY, quantity=3, account="a", idempotency_key="k", request_id="r"
)
WANTED_BYTES = b'\x0a\x01A\x10\x01\x18\x03"\x01a*\x01k2\x01r'


@pytest.mark.parametrize(
    ("message", "data"),
    [
        (order_pb2.PlaceOrdersRequest(epoch=4, orders=[WANTED]), b"\x08\x04\x12\x10" + WANTED_BYTES),
        (
            catalog_pb2.UpdateStockRequest(epoch=4, batch_seq=5, first_number=6, prev_chain=7, trades=[WANTED]),
            b"\x08\x04\x10\x05\x18\x06%\x07\x00\x00\x00*\x10" + WANTED_BYTES,
        ),
        (
            order_pb2.SyncOrderRequest(cluster_id="c", prev_number=1, prev_chain=2, rows=b"x\n"),
            b'\x0a\x01c\x10\x01\x1d\x02\x00\x00\x00"\x02x\n',
        ),
        (catalog_pb2.LookupStockRequest(stock_name="A"), b"\x0a\x01A"),
        (order_pb2.LookUpOrderRequest(transaction_id=9), b"\x08\x09"),
    ],
)
def test_messages_have_the_bytes_of_the_version_before(message: Message, data: bytes):
    assert message.SerializeToString() == data


def test_requests_over_streams_have_the_names_of_the_version_before():
    assert [request.DESCRIPTOR.full_name for request in CARRIED] == [
        "bourse.catalog.v1.UpdateStockRequest",
        "bourse.order.v1.PlaceOrdersRequest",
        "bourse.order.v1.SyncOrderRequest",
    ]


def test_order_that_is_asked_for_alone_has_the_fields_of_one_among_many():
    among = {(field.name, field.number, field.type) for field in catalog_pb2.NewOrder.DESCRIPTOR.fields}
    alone = {(field.name, field.number, field.type) for field in order_pb2.PlaceOrderRequest.DESCRIPTOR.fields}
    assert {name for name, _, _ in alone - among} == {"epoch", "to"}
    assert among <= alone
