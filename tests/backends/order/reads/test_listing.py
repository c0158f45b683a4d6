import pytest

from backends.failures import InvalidArgument
from backends.order.reads.listing import list_orders
from backends.storage.csv import query
from common.rows import chain_seed
from protos import catalog_pb2, order_pb2
from tests.backends.order.rows import CLUSTER, make_rows

COUNT = 1500


@pytest.fixture
def store(open_store):
    store = open_store()
    store.extend(CLUSTER, 0, chain_seed(CLUSTER), make_rows(COUNT, names=("ACME", "BOLT.B", "BOLTxB")))
    return store


def numbers(store, **fields) -> list[int]:
    request = order_pb2.ListOrdersRequest(**{"limit": 500, **fields})
    return [order.transaction_number for order in list_orders(store, request).orders]


def all_pages(store, **fields) -> list[int]:
    """Follow resume_number to the end, as a client follows a cursor."""
    found: list[int] = []
    request = order_pb2.ListOrdersRequest(**fields)
    for _page in range(1000):
        response = list_orders(store, request)
        found += [order.transaction_number for order in response.orders]
        if not response.resume_number:
            return found
        if request.descending:
            request.before_number = response.resume_number
        else:
            request.after_number = response.resume_number
    raise AssertionError("the list never ends")


def test_newest_first_and_oldest_first(store):
    assert numbers(store, descending=True, limit=3) == [1500, 1499, 1498]
    assert numbers(store, limit=3) == [1, 2, 3]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [1, 7, 500])
def test_pages_show_every_order_once(store, descending, limit):
    expected = list(range(1, COUNT + 1))
    if limit == 1:  # one order a page is slow: the last ones are enough
        found = all_pages(store, limit=1, after_number=COUNT - 30, descending=descending)
        expected = expected[-30:]
    else:
        found = all_pages(store, limit=limit, descending=descending)
    assert found == (expected[::-1] if descending else expected)


def test_full_last_page_has_no_next_one(store):
    response = list_orders(store, order_pb2.ListOrdersRequest(limit=500, after_number=1000))
    assert len(response.orders) == 500
    assert response.resume_number == 0
    assert response.last_number == COUNT


def test_names_are_matched_literally(store):
    assert numbers(store, stock_names=["BOLT.B"], limit=2) == [1, 4]
    assert all_pages(store, stock_names=["BOLT.B", "ACME"], limit=100) == [
        n for n in range(1, COUNT + 1) if n % 3 in (0, 1)
    ]


def test_type_and_key_and_account(store):
    assert numbers(store, order_type=catalog_pb2.SELL, limit=2) == [2, 4]
    assert numbers(store, idempotency_key="k77") == [77]
    assert numbers(store, idempotency_key="k77", account="") == [77]
    assert numbers(store, idempotency_key="k77", account="somebody") == []
    assert numbers(store, idempotency_key="k7.") == []


def test_times_are_exclusive(store):
    at_10 = store.order(10).created_at
    at_12 = store.order(12).created_at
    assert numbers(store, after_time=at_10, until_time=at_12) == [11]
    assert numbers(store, after_time="2031-04-10T00:00:00.000000Z") == []
    assert numbers(store, until_time="2031-04-08T00:00:00.000000Z") == []


def test_number_bounds_are_exclusive(store):
    assert numbers(store, after_number=5, before_number=8) == [6, 7]
    assert numbers(store, after_number=COUNT) == []
    assert numbers(store, after_number=2**53 - 1) == []


@pytest.mark.parametrize("descending", [False, True])
def test_sparse_filter_ends_a_call_early_and_can_go_on(store, monkeypatch, descending):
    monkeypatch.setattr(query, "MAX_SCANNED_ROWS", 100)
    first = list_orders(store, order_pb2.ListOrdersRequest(idempotency_key="k750", limit=10, descending=descending))
    assert not first.orders
    assert first.resume_number
    assert all_pages(store, idempotency_key="k750", limit=10, descending=descending) == [750]


@pytest.mark.parametrize(
    "fields",
    [
        {"limit": 0},
        {"limit": 501},
        {"stock_names": ["a b"]},
        {"idempotency_key": "a,b"},
        {"account": "a\nb"},
        {"after_time": "yesterday"},
        {"after_number": -1},
        {"order_type": 9},
    ],
)
def test_bad_requests_name_the_value(store, fields):
    with pytest.raises(InvalidArgument, match=next(iter(fields)).removesuffix("s")):
        list_orders(store, order_pb2.ListOrdersRequest(**{"limit": 10, **fields}))
