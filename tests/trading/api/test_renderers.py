import json
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from common.bounds import MAX_PRICE_CENTS, price_text
from trading.api.renderers import ExactJSONRenderer, exact_json
from trading.api.representations import stock_data
from trading.reads.stock import Stock


@settings(deadline=None)  # other processes may be busy
@given(st.integers(1, MAX_PRICE_CENTS))
def test_price_is_written_with_its_own_digits(cents):
    text = exact_json(stock_data(Stock("AAPL", cents, 1)))
    number = text.removeprefix('{"name":"AAPL","price":').partition(",")[0]
    assert "e" not in number.lower()
    assert len(number.partition(".")[2]) <= 2
    assert json.loads(text, parse_float=Decimal)["price"] * 100 == cents
    assert json.loads(text)["price_decimal"] == price_text(cents)


def test_an_answer_is_written_as_by_the_renderer_of_the_views():
    data = {"data": {**stock_data(Stock("AAPL", 30935, 7)), "unknown": None, "names": ["é", '"', "\\"], "is": True}}
    assert exact_json(data).encode() == ExactJSONRenderer().render(data)
