"""What stands for the catalog and the order replicas under the views: a market in memory."""

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import catalog_pb2, order_pb2
from tests.trading.procedures import procedure
from trading.reads.stock import Stock

CREATED_AT = "2031-04-09T13:05:22.104511Z"


class FakeMarket:
    """Stocks and orders. Raises `failure`, if one is set, instead of answering; counts what it is asked."""

    def __init__(self) -> None:
        self.stocks = {
            "BlueFinch": Stock("BlueFinch", 4135, 120),
            "Cent": Stock("Cent", 1, 10**15),
            "Dear": Stock("Dear", 10**11, 1),
        }
        self.orders: list[order_pb2.Order] = []
        self.failure: Exception | None = None
        self.look_ups = 0
        self.placed: list[catalog_pb2.NewOrder] = []
        self.listed: list[order_pb2.ListOrdersRequest] = []
        self.scan_limit = 1000

    # As CatalogClient

    def look_up(self, name: str) -> Stock:
        self.look_ups += 1
        self._fail()
        if name not in self.stocks:
            raise RpcFailure(Reason.UNKNOWN_STOCK, f"no stock {name!r}")
        return self.stocks[name]

    def list_stocks(self, *, after_name: str, limit: int) -> tuple[list[Stock], bool]:
        self._fail()
        names = sorted(name for name in self.stocks if name > after_name)
        return [self.stocks[name] for name in names[:limit]], len(names) > limit

    # As OrderClient

    def place(self, order: catalog_pb2.NewOrder) -> order_pb2.PlaceOrderResponse:
        self.placed.append(order)
        self._fail()
        for known in self.orders:
            if (known.account, known.idempotency_key) == (order.account, order.idempotency_key):
                return self._replay(known, order)
        stock = self.stocks.get(order.stock_name)
        if stock is None:
            raise RpcFailure(Reason.UNKNOWN_STOCK, f"no stock {order.stock_name!r}")
        change = order.quantity if order.order_type == catalog_pb2.SELL else -order.quantity
        if stock.quantity + change < 0:
            message = f"stock {stock.name!r}: {stock.quantity} left, {order.quantity} asked"
            raise RpcFailure(Reason.INSUFFICIENT_STOCK, message, metadata={"available": stock.quantity})
        self.stocks[stock.name] = stock._replace(quantity=stock.quantity + change)
        placed = order_pb2.Order(
            transaction_number=len(self.orders) + 1,
            epoch=1,
            stock_name=order.stock_name,
            order_type=order.order_type,
            quantity=order.quantity,
            price_cents=stock.price_cents,
            account=order.account,
            idempotency_key=order.idempotency_key,
            created_at=CREATED_AT,
        )
        self.orders.append(placed)
        return order_pb2.PlaceOrderResponse(order=placed)

    def order(self, number: int) -> order_pb2.Order:
        self._fail()
        if number > len(self.orders):
            message = f"order {number} is not given yet"
            raise RpcFailure(Reason.UNKNOWN_ORDER, message, metadata={"last_number": len(self.orders)})
        return self.orders[number - 1]

    def list_orders(self, request: order_pb2.ListOrdersRequest) -> order_pb2.ListOrdersResponse:
        self._fail()
        self.listed.append(request)
        numbers = range(request.after_number + 1, min(request.before_number or 2**53, len(self.orders) + 1))
        scanned = list(reversed(numbers) if request.descending else numbers)
        page: list[order_pb2.Order] = []
        resume = 0
        for seen, number in enumerate(scanned, start=1):
            order = self.orders[number - 1]
            is_wanted = not request.stock_names or order.stock_name in request.stock_names
            if is_wanted and (not request.HasField("account") or order.account == request.account):
                page.append(order)
            if (len(page) == request.limit or seen == self.scan_limit) and seen < len(scanned):
                resume = number
                break
        return order_pb2.ListOrdersResponse(orders=page, last_number=len(self.orders), resume_number=resume)

    def _replay(self, known: order_pb2.Order, order: catalog_pb2.NewOrder) -> order_pb2.PlaceOrderResponse:
        if (known.stock_name, known.quantity, known.order_type) != (
            order.stock_name,
            order.quantity,
            order.order_type,
        ):
            number = known.transaction_number
            raise RpcFailure(
                Reason.KEY_REUSED,
                f"key {known.idempotency_key!r} names another order",
                metadata={"transaction_number": number},
            )
        return order_pb2.PlaceOrderResponse(order=known, replayed=True)

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


class FakeCatalogClient:
    """The market as CatalogClient."""

    def __init__(self, market: FakeMarket) -> None:
        self.look_up = procedure(lambda name: market.look_up(name))
        self.list_stocks = procedure(lambda **page: market.list_stocks(**page))


class FakeOrderClient:
    """The market as OrderClient."""

    def __init__(self, market: FakeMarket) -> None:
        self.place = procedure(lambda order, **_terms: market.place(order))


class FakeOrderReader:
    """The market as OrderReader."""

    def __init__(self, market: FakeMarket) -> None:
        self.look_up = procedure(market.order)
        self.list_orders = procedure(market.list_orders)


def failed(reason: Reason) -> RpcFailure:
    """What OrderClient raises when neither an order nor a refusal came."""
    return RpcFailure(reason, f"it failed: {reason.name}")
