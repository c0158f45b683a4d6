"""What can be asked of the list of orders: filters, a page, and the RPC's request for it. Plain data."""

from dataclasses import dataclass

from common.rows import ORDER_TYPES
from protos import catalog_pb2, order_pb2


@dataclass(frozen=True)
class OrderFilters:
    """Which orders, and from which end. An empty text, no name or 0 leaves that side open.

    `after`, `until` and `after_number` are exclusive; the times are in the form of Order.created_at.
    """

    name: tuple[str, ...] = ()
    type: str = ""
    client_order_id: str = ""
    status: str = ""
    after: str = ""
    until: str = ""
    after_number: int = 0
    direction: str = "desc"


@dataclass(frozen=True)
class OrderQuery:
    """One page of a list: its filters, the number it goes on from (None: from the end), and its size."""

    filters: OrderFilters
    position: int | None
    limit: int

    @property
    def is_descending(self) -> bool:
        """Whether the newest orders come first."""
        return self.filters.direction == "desc"

    def request(self, account: str | None) -> order_pb2.ListOrdersRequest:
        """Return the RPC's request for this page.

        `account` is whose orders are listed; with None they are everybody's, but a client order id is still looked up
        among those of account "" alone, as it is when an order is placed.
        """
        filters, position = self.filters, self.position or 0
        return order_pb2.ListOrdersRequest(
            account="" if account is None and filters.client_order_id else account,
            stock_names=filters.name,
            order_type=ORDER_TYPES.get(filters.type, catalog_pb2.ORDER_TYPE_UNSPECIFIED),
            idempotency_key=filters.client_order_id,
            after_time=filters.after,
            until_time=filters.until,
            after_number=filters.after_number if self.is_descending else max(filters.after_number, position),
            before_number=position if self.is_descending else 0,
            descending=self.is_descending,
            limit=self.limit,
        )
