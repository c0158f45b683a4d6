import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.bounds import MAX_PRICE_CENTS, price_text
from trading.api.renderers import ExactJSONRenderer, json_number


@settings(deadline=None)  # other processes may be busy
@given(st.integers(1, MAX_PRICE_CENTS))
def test_price_is_written_with_its_own_digits(cents):
    text = ExactJSONRenderer().render({"price": Decimal(price_text(cents))}).decode()
    number = text.removeprefix('{"price":').removesuffix("}")
    assert "e" not in number.lower()
    assert len(number.partition(".")[2]) <= 2
    assert json.loads(text, parse_float=Decimal)["price"] * 100 == cents


@pytest.mark.parametrize("value", ["0.00001", "1234567890.1234567", "1E+15", "NaN"])
def test_number_that_has_no_exact_text_is_refused(value):
    with pytest.raises((ValueError, ArithmeticError)):
        json_number(Decimal(value))
