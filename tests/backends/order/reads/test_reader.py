"""Look-ups and lists at replicas that hold all, lag, or are alone."""

import pytest

from backends.failures import CatalogUnavailable
from backends.storage.csv import query
from backends.storage.known_keys import KnownKeys, key_of
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Pause, run_steps
from protos import catalog_pb2, order_pb2
from tests.backends.order.direct import CATALOG, buy


def test_any_replica_answers_a_number_that_it_lacks_through_the_catalog(led):
    led.stop_replica(1)
    order = led.place(3, buy("a"))
    led.start_replica(1)
    assert led.network.run(led.readers[1].look_up(1)) == order
    with pytest.raises(RpcFailure, match="UNKNOWN_ORDER") as caught:
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
    assert caught.value.reason is Reason.LAGGING
    orders = led.network.run(led.readers[3].list_orders(order_pb2.ListOrdersRequest(limit=1))).orders
    assert [order.transaction_number for order in orders] == [1]


def test_list_waits_for_rows_that_are_on_their_way(led):
    """The replica gets the row that the catalog named in the pauses of the list."""
    led.stop_replica(1)
    led.place(3, buy("a"))
    led.start_replica(1)
    pauses = []

    def perform(effect):
        if isinstance(effect, Pause):
            pauses.append(effect.seconds)
            if len(pauses) == 3:
                led.resync(3, 1)
        return led.network._perform(effect)

    page = run_steps(led.readers[1].list_orders(order_pb2.ListOrdersRequest(limit=1)), perform)
    assert ([order.transaction_number for order in page.orders], page.last_number) == ([1], 1)
    assert len(pauses) == 3


def by_key(key: str, **fields) -> order_pb2.ListOrdersRequest:
    return order_pb2.ListOrdersRequest(**{"idempotency_key": key, "account": "", "limit": 5, **fields})


def test_key_is_found_without_a_search(led, monkeypatch):
    """Only the row that the catalog names is read, from whichever end the list begins."""
    for number in range(1, 31):
        led.place(3, buy(f"k{number}"))
    monkeypatch.setattr(query, "MAX_SCANNED_ROWS", 1)
    for descending in (False, True):
        page = led.network.run(led.readers[1].list_orders(by_key("k7", descending=descending)))
        assert [order.transaction_number for order in page.orders] == [7]
        assert (page.resume_number, page.last_number) == (0, 30)
        page = led.network.run(led.readers[1].list_orders(by_key("k77", descending=descending)))
        assert (list(page.orders), page.resume_number) == ([], 0)


@pytest.mark.parametrize(
    "fields",
    [{"after_number": 2}, {"before_number": 2}, {"stock_names": ["MSFT"]}, {"account": "somebody"}],
    ids=lambda fields: next(iter(fields)),
)
def test_key_is_looked_up_beside_the_other_filters(led, fields):
    for number in (1, 2, 3):
        led.place(3, buy(f"k{number}"))
    assert [order.transaction_number for order in led.network.run(led.readers[1].list_orders(by_key("k2"))).orders] == [
        2
    ]
    assert not led.network.run(led.readers[1].list_orders(by_key("k2", **fields))).orders


def test_key_that_the_catalog_forgot_is_searched_among_the_old_orders_alone(led, monkeypatch):
    for number in range(1, 31):
        led.place(3, buy(f"k{number}"))
    monkeypatch.setattr(led.ledger, "_keys", forgetful(led))
    monkeypatch.setattr(query, "MAX_SCANNED_ROWS", 4)
    for descending in (False, True):
        request = by_key("k7", descending=descending)
        found = []
        for _page in range(10):
            page = led.network.run(led.readers[1].list_orders(request))
            found += [order.transaction_number for order in page.orders]
            if not page.resume_number:
                break
            assert 1 <= page.resume_number < 21
            setattr(request, "before_number" if descending else "after_number", page.resume_number)
        assert found == [7]
        assert not page.resume_number


def forgetful(led) -> KnownKeys:
    """The catalog's keys as they would be if it kept no more than the last ten."""
    keys = KnownKeys(at_least=5, generation_keys=5)
    for number in range(1, 31):
        keys.add(key_of("", f"k{number}"), number)
    assert keys.find(key_of("", "k7")) == (None, 21)
    return keys


def test_key_cannot_be_looked_up_without_the_catalog(led):
    led.place(3, buy("a"))
    led.stop_catalog()
    with pytest.raises(CatalogUnavailable):
        led.network.run(led.readers[1].list_orders(by_key("a")))


def test_list_by_key_waits_for_the_row(led):
    """A replica that lacks the order does not say that there is none."""
    led.stop_replica(1)
    led.place(3, buy("a"))
    led.start_replica(1)
    with pytest.raises(RpcFailure) as caught:
        led.network.run(led.readers[1].list_orders(by_key("a")))
    assert caught.value.reason is Reason.LAGGING


def test_list_by_key_is_of_the_moment_when_the_key_was_looked_up(led):
    """An order that is made between the look-up and the list is not there, nor does the page say that it would be."""

    def place_meanwhile(_address, request):
        if isinstance(request, catalog_pb2.LookupKeyRequest):
            led.place(3, buy("late"))

    led.place(3, buy("a"))
    led.network.after = place_meanwhile
    page = led.network.run(led.readers[1].list_orders(by_key("late")))
    assert led.readers[1]._store.last_number == 2
    assert (list(page.orders), page.last_number) == ([], 1)


@pytest.mark.parametrize(
    "read",
    [
        lambda reader: reader.list_orders(by_key("b")),
        lambda reader: reader.list_orders(order_pb2.ListOrdersRequest(limit=1)),
        lambda reader: reader.look_up(3),
    ],
    ids=["key", "list", "number"],
)
def test_a_catalog_that_lost_orders_is_not_believed_that_there_are_none(led, read):
    led.place(3, buy("a"))
    led.place(3, buy("b"))
    ask = led.network.handlers[CATALOG]

    def ask_older_copy(request):
        if isinstance(request, catalog_pb2.LookupKeyRequest):
            return catalog_pb2.LookupKeyResponse(known_from=1, last_number=1)
        answer = ask(request)
        answer.last_number = 1
        return answer

    led.network.handlers[CATALOG] = ask_older_copy
    with pytest.raises(RpcFailure, match=r"HALTED: .*holds 1 orders, 2 are held here"):
        led.network.run(read(led.readers[1]))
