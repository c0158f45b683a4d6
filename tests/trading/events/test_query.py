import pytest
from django.http import QueryDict

from common.calls.reasons import Reason
from trading.api.errors import ApiError
from trading.events.query import MOST_NAMES, EventQuery, number_of_id, read_event_query, read_last_event_id
from trading.events.ring import Event
from trading.events.topics import LEADER, ORDER, REPLICA, RESET, STOCK, TYPES, event_topics


def wanted(query: str, account: str | None = None) -> list[str]:
    """What a stream shows of one event of each kind."""
    events = {
        "order": Event(ORDER, "{}", "ACME", account="ann"),
        "order of T": Event(ORDER, "{}", "T", account=""),
        "stock": Event(STOCK, "{}", "ACME"),
        "stock T": Event(STOCK, "{}", "T"),
        "leader": Event(LEADER, "{}"),
        "replica": Event(REPLICA, "{}"),
        "reset of stocks": Event(RESET, "{}", types=frozenset({STOCK})),
    }
    asked = read_event_query(QueryDict(query), account).topics
    return [
        what
        for what, event in events.items()
        if not asked.isdisjoint(event_topics(event.type, event.stock_name, event.account, event.types))
    ]


def test_everything_by_default():
    assert read_event_query(QueryDict(""), None) == EventQuery(frozenset(TYPES), frozenset())
    assert len(wanted("")) == 7


def test_only_the_types_asked_for_and_the_resets_about_them():
    assert wanted("types=order") == ["order", "order of T"]
    assert wanted("types=leader,stock") == ["stock", "stock T", "leader", "reset of stocks"]
    assert wanted("types=reset") == ["reset of stocks"]


def test_names_leave_out_other_stocks_alone():
    assert wanted("name=T") == ["order of T", "stock T", "leader", "replica", "reset of stocks"]
    assert wanted("name=T&name=ACME&types=order") == ["order", "order of T"]
    assert wanted("name=T&types=order,leader", account="ann") == ["leader"]


def test_orders_of_other_accounts_are_never_shown():
    assert wanted("types=order", account="ann") == ["order"]
    assert wanted("types=order", account="bob") == []
    assert wanted("types=stock", account="bob") == ["stock", "stock T", "reset of stocks"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("types=", "types"),
        ("types=orders", "types"),
        ("types=order,,stock", "types"),
        ("name=a%20b", "name"),
        ("name=", "name"),
        ("&".join(f"name=S{number}" for number in range(MOST_NAMES + 1)), "name"),
    ],
)
def test_parameter_that_cannot_be_used_is_named(query, field):
    with pytest.raises(ApiError) as refusal:
        read_event_query(QueryDict(query), None)
    assert refusal.value.reason is Reason.INVALID_ARGUMENT
    assert [detail["field"] for detail in refusal.value.details] == [field]


@pytest.mark.parametrize(
    ("event_id", "number"),
    [
        ("0a1b-0", 0),
        ("0a1b-57", 57),
        ("0a1c-57", None),
        ("0a1b-057", None),
        ("0a1b--1", None),
        ("0a1b", None),
        ("57", None),
        ("", None),
        ("0a1b-57\n", None),
    ],
)
def test_number_of_an_id(event_id, number):
    assert number_of_id(event_id, "0a1b") == number


@pytest.mark.parametrize(
    ("header", "query", "place"),
    [
        (None, "", None),
        ("ab-1", "", "ab-1"),
        ("ab-1", "lastEventId=ab-2&Last-Event-ID=ab-3", "ab-1"),
        (None, "Last-Event-ID=ab-3&lastEventId=ab-2", "ab-2"),
        (None, "Last-Event-ID=ab-3", "ab-3"),
        (None, "lastEventId=", ""),
    ],
)
def test_place_is_that_of_the_header_and_else_of_a_parameter(header, query, place):
    assert read_last_event_id(header, QueryDict(query)) == place
