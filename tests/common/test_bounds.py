import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.bounds import (
    ACCOUNT,
    HELD_STOCK_NAME,
    IDEMPOTENCY_KEY,
    MAX_PRICE_CENTS,
    STOCK_NAME,
    TIME,
    price_cents,
    price_text,
)


@pytest.mark.parametrize(("cents", "text"), [(1, "0.01"), (99, "0.99"), (100, "1.00"), (4135, "41.35"), (410, "4.10")])
def test_price_has_two_decimals(cents, text):
    assert price_text(cents) == text
    assert price_cents(text) == cents


@given(st.integers(1, MAX_PRICE_CENTS))
def test_price_is_the_same_after_text_and_back(cents):
    assert price_cents(price_text(cents)) == cents


@pytest.mark.parametrize(
    ("text", "cents"),
    [("41", 4100), ("41.3", 4130), ("41.350", 4135), ("1000000000", MAX_PRICE_CENTS), ("4.1e1", 4100)],
)
def test_other_spellings_of_a_price_are_read(text, cents):
    assert price_cents(text) == cents


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "41,35",
        "0",
        "0.00",
        "-1",
        "0.001",
        "41.355",
        "1000000000.01",
        "NaN",
        "Infinity",
        "-Infinity",
        "0.3" + "0" * 40 + "4",
    ],
)
def test_price_out_of_bounds_is_refused_by_its_value(text):
    with pytest.raises(ValueError, match=f"price '{text}'"):
        price_cents(text)


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (
            STOCK_NAME,
            ["A", "BRK.B", "a_b-c.9", "...", ".A", "..A", "x" * 32],
            ["", "x" * 33, "A B", "A/B", "A%", "Å", "A\n", "A,B", "A:B", ".", ".."],
        ),
        (
            HELD_STOCK_NAME,
            ["A", "BRK.B", ".", "..", "...", "x" * 32],
            ["", "x" * 33, "A B", "A/B", "A\n", "A,B", "A:B"],
        ),
        (IDEMPOTENCY_KEY, ["k", "bot7-000318", "a:b_c.d", "x" * 64], ["", "x" * 65, "a b", "a,b", "a@b", "k\n", "é"]),
        (ACCOUNT, ["", "alice@example.org", "a+b", "x" * 64], ["x" * 65, "a b", "a,b", "a:b", "a\n", "é"]),
        (
            TIME,
            ["2031-04-09T13:05:22.104511Z"],
            ["2031-04-09T13:05:22Z", "2031-04-09 13:05:22.104511Z", "2031-04-09T13:05:22.104511+02:00", ""],
        ),
    ],
)
def test_patterns_accept_exactly_their_character_sets(pattern, good, bad):
    assert [text for text in good if not pattern.fullmatch(text)] == []
    assert [text for text in bad if pattern.fullmatch(text)] == []
