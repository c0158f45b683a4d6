"""What the floor's processes say to each other: the messages of `protos`, with constants where Bourse computes."""

from typing import Any

from common.rows import encode_row
from protos import catalog_pb2, order_pb2

_FIELDS: dict[str, Any] = {
    "stock_name": "HOT",
    "quantity": 1,
    "account": "",
    "idempotency_key": "k" * 32,
}
_CREATED_AT = "2026-01-01T00:00:00.000000Z"

# As long as a row of the log some ten thousand orders after the start.
ROW, _CHAIN = encode_row(
    transaction_number=12_345,
    epoch=1,
    order_type="sell",
    price_cents=12_345,
    created_at=_CREATED_AT,
    prev_chain=0,
    **_FIELDS,
)
NEW_ORDER = catalog_pb2.NewOrder(order_type=catalog_pb2.SELL, request_id="r" * 16, **_FIELDS)
TRADE = catalog_pb2.NewOrder(order_type=catalog_pb2.SELL, request_id="r" * 16, **_FIELDS)
DECIDED = catalog_pb2.TradeResult(row=ROW)
PLACED = order_pb2.PlaceOrdersResult(
    placed=order_pb2.PlaceOrderResponse(
        order=order_pb2.Order(
            transaction_number=12_345,
            epoch=1,
            order_type=catalog_pb2.SELL,
            price_cents=12_345,
            created_at=_CREATED_AT,
            **_FIELDS,
        )
    )
)
