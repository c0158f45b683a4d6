import base64
from zlib import crc32

import pytest
from django.http import QueryDict
from hypothesis import given, settings
from hypothesis import strategies as st

from common.bounds import STOCK_NAME
from common.calls.reasons import Reason
from trading.api.cursors import decode_cursor, encode_cursor
from trading.api.errors import ApiError
from trading.api.order_query import order_cursor, read_order_query
from trading.reads.order_query import OrderFilters, OrderQuery

names = st.from_regex(r"[A-Za-z0-9._-]{1,32}", fullmatch=True).filter(STOCK_NAME.fullmatch)
times = st.datetimes().map(lambda moment: moment.isoformat(timespec="microseconds") + "Z")
filters = st.builds(
    OrderFilters,
    name=st.lists(names, max_size=3, unique=True).map(tuple),
    type=st.sampled_from(["", "buy", "sell"]),
    client_order_id=st.just("") | st.from_regex(r"[A-Za-z0-9._:-]{1,64}", fullmatch=True),
    status=st.sampled_from(["", "filled"]),
    after=st.just("") | times,
    until=st.just("") | times,
    after_number=st.integers(0, 2**53 - 1),
    direction=st.sampled_from(["asc", "desc"]),
)


@settings(deadline=None)  # other processes may be busy
@given(filters, st.integers(1, 2**53 - 1))
def test_cursor_keeps_its_filters_and_its_place(filters, position):
    cursor = order_cursor(filters, position)
    read = read_order_query(QueryDict(f"cursor={cursor}&limit=7"))
    assert read == OrderQuery(filters, position, 7)


@settings(deadline=None)  # other processes may be busy
@given(st.text(max_size=80))
def test_any_other_text_is_refused(text):
    with pytest.raises(ApiError) as refusal:
        decode_cursor("o1", text)
    assert refusal.value.reason is Reason.INVALID_CURSOR


def written(inner: str) -> str:
    """What a cursor with this in it would be, its checksum right."""
    data = inner.encode()
    return base64.urlsafe_b64encode(data + crc32(data).to_bytes(4, "big")).decode().rstrip("=")


def test_the_helper_above_writes_good_cursors():
    assert read_order_query(QueryDict(f"cursor={written('o1?at=7')}")).position == 7


@pytest.mark.parametrize(
    "inner",
    [
        "s1?after=BlueFinch",  # of another list
        "o1?",
        "o1?at=0",
        "o1?at=-1",
        "o1?at=7&at=8",
        "o1?at=9007199254740992",
        "o1?at=07",
        "o1?name=two+words&at=7",
        "o1?prize=1&at=7",
        "o1?at=7&",
        "o1?direction=up&at=7",
        "o2?at=7",
        "?at=7",
        "",
    ],
)
def test_cursor_that_no_answer_has_held_is_refused(inner):
    with pytest.raises(ApiError) as refusal:
        read_order_query(QueryDict(f"cursor={written(inner)}"))
    assert refusal.value.reason is Reason.INVALID_CURSOR


def test_cursor_changed_at_any_place_is_refused():
    cursor = encode_cursor("o1", [("name", "ACME"), ("at", "57")])
    for place, character in enumerate(cursor):
        for other in "AQgw0_":
            if other != character:
                with pytest.raises(ApiError):
                    decode_cursor("o1", cursor[:place] + other + cursor[place + 1 :])


def test_padded_or_spare_bits_are_refused():
    cursor = encode_cursor("o1", [("at", "57")])
    assert decode_cursor("o1", cursor) == [("at", "57")]
    for changed in (cursor + "=", cursor + "A", cursor[:-1], cursor[:-1] + "é"):
        with pytest.raises(ApiError):
            decode_cursor("o1", changed)


def test_cursor_of_great_length_is_refused():
    with pytest.raises(ApiError):
        decode_cursor("o1", encode_cursor("o1", [("name", "A" * 32)] * 1000))
