"""Look-ups and lists at any replica: a row found is final, and nothing missing is taken for absent."""

import threading
from collections.abc import Callable, Sequence

from backends.checks import check_within
from backends.failures import InvalidArgument
from backends.order.catalog_link import HEALTH_TIMEOUT_S, CatalogLink
from backends.order.reads.listing import list_orders, narrow_to_key
from backends.order.store import OrderStore
from common.bounds import MAX_NUMBER
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Pause, Steps
from common.row_checks import check_rows
from common.rows import order_from_row, parse_row
from protos import catalog_pb2, order_pb2

LIST_WAIT_S = 1.0
LIST_PAUSE_S = 0.005
SCANS_AT_ONCE = 2
MAX_ROWS_BYTES = 1 << 20
MAX_ROW_COUNT = 2**31 - 1
MAX_LOOK_UPS = 100


class OrderReader:
    """Reads orders, linearizably (docs/PROTOCOL.md, 6). Any number of threads may use it."""

    def __init__(self, store: OrderStore, catalog: CatalogLink, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._catalog = catalog
        self._monotonic = monotonic
        # Lists take turns, each a short one: many at once would keep the processor from the order path, and load would
        # look like death.
        self._scanning = threading.Semaphore(SCANS_AT_ONCE)

    def look_up(self, number: int) -> Steps[order_pb2.Order]:
        """Return an order; a number above our last is asked for at the catalog.

        Raises:
            CatalogUnavailable: nobody can tell.
            RpcFailure: UNKNOWN_ORDER: no order has this number yet. HALTED: the catalog lost history, and cannot tell
                either.
        """
        self._store.refuse_if_foreign()
        if number < 1:
            raise InvalidArgument(f"transaction_id {number} is below 1")
        if number <= self._store.last_number:
            return self._store.order(number)
        last_number = yield from self._catalog_last_number()
        if number > last_number:
            raise RpcFailure(
                Reason.UNKNOWN_ORDER,
                f"order {number} does not exist yet; the last one is {last_number}",
                metadata={"last_number": last_number},
            )
        page: catalog_pb2.ListTradesResponse = yield from self._catalog.call(
            catalog_pb2.ListTradesRequest(after=number - 1, limit=1)
        )
        check_rows(page.rows, number - 1, page.after_chain)
        return order_from_row(parse_row(page.rows))

    def held(self, numbers: Sequence[int]) -> list[order_pb2.Order]:
        """Return those of these orders that this replica holds. Asks nobody.

        Raises:
            InvalidArgument: they are more than MAX_LOOK_UPS.
        """
        if len(numbers) > MAX_LOOK_UPS:
            raise InvalidArgument(f"also has {len(numbers)} numbers; at most {MAX_LOOK_UPS} are looked up")
        last_number = self._store.last_number
        return [self._store.order(number) for number in numbers if 1 <= number <= last_number]

    def list_orders(self, request: order_pb2.ListOrdersRequest) -> Steps[order_pb2.ListOrdersResponse]:
        """List orders, once this replica holds the last number that the catalog has now.

        An account's key is looked up at the catalog: only rows older than those whose keys it knows are searched.

        Raises:
            InvalidArgument; CatalogUnavailable.
            RpcFailure: HALTED: the catalog lost history. LAGGING: this replica does not get there in time.
        """
        self._store.refuse_if_foreign()
        if not (request.idempotency_key and request.HasField("account")):
            yield from self._wait_for((yield from self._catalog_last_number()))
            with self._scanning:
                return list_orders(self._store, request)
        found = yield from self._look_up_key(request)
        yield from self._wait_for(found.last_number)
        with self._scanning:
            page = list_orders(self._store, narrow_to_key(request, found))
        # What was decided since the key was looked up may have it: the page is of that moment.
        page.last_number = found.last_number
        return page

    def _look_up_key(self, request: order_pb2.ListOrdersRequest) -> Steps[catalog_pb2.LookupKeyResponse]:
        held = self._store.last_number
        found: catalog_pb2.LookupKeyResponse = yield from self._catalog.call(
            catalog_pb2.LookupKeyRequest(account=request.account, idempotency_key=request.idempotency_key),
            HEALTH_TIMEOUT_S,
        )
        _refuse_if_shorter(found.last_number, held)
        return found

    def _catalog_last_number(self) -> Steps[int]:
        held = self._store.last_number
        last_number: int = (yield from self._catalog.health()).last_number
        _refuse_if_shorter(last_number, held)
        return last_number

    def _wait_for(self, last_number: int) -> Steps[None]:
        """Wait until the store holds this number."""
        deadline = self._monotonic() + LIST_WAIT_S
        while self._store.last_number < last_number:
            if self._monotonic() >= deadline:
                raise RpcFailure(
                    Reason.LAGGING, f"this replica holds {self._store.last_number} of {last_number} orders"
                )
            yield Pause(LIST_PAUSE_S)


def _refuse_if_shorter(last_number: int, held: int) -> None:
    """Raise HALTED if the catalog's last number is below one that was held before it was asked.

    Orders that others hold are missing there too: it cannot say of any that there is none.
    """
    if last_number < held:
        raise RpcFailure(
            Reason.HALTED, f"the catalog holds {last_number} orders, {held} are held here: it lost history"
        )


def list_rows(store: OrderStore, request: order_pb2.ListRowsRequest) -> order_pb2.ListRowsResponse:
    """Return rows of the own log as they are on disk; asks nobody.

    Raises:
        InvalidArgument. RpcFailure: OUT_OF_RANGE: `after` is above the last number.
    """
    check_within("after", request.after, 0, MAX_NUMBER)
    check_within("limit", request.limit, 0, MAX_ROW_COUNT)
    last_number = store.last_number
    if request.after > last_number:
        raise RpcFailure(
            Reason.OUT_OF_RANGE,
            f"no order above {request.after}: the last one is {last_number}",
            metadata={"last_number": last_number},
        )
    rows = store.read_after(request.after, MAX_ROWS_BYTES, request.limit) if last_number else b""
    return order_pb2.ListRowsResponse(rows=rows, last_number=last_number)
