"""Seed files: the shipped one, and every malformed line named."""

import pytest

from backends.storage.ports import StartRefused
from backends.storage.seed import DEFAULT_STOCKS, read_seed
from backends.storage.values import Stock


def test_shipped_list_has_known_tickers_with_100_shares_each():
    stocks = read_seed(DEFAULT_STOCKS)
    assert 28 <= len(stocks) <= 35
    assert {"AAPL", "MSFT", "GOOGL", "AMZN"} <= {stock.name for stock in stocks}
    assert {stock.quantity for stock in stocks} == {100}


def test_seed_keeps_order_and_exact_prices(tmp_path):
    path = tmp_path / "seed.csv"
    path.write_bytes(b'\xef\xbb\xbfname,price,quantity\r\n"T",25.3,0\r\n\r\nACME,1000000000,1000000000000000\r\n')
    assert read_seed(path) == [Stock.new("T", 2530, 0), Stock.new("ACME", 10**11, 10**15)]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("ACME,1", "'ACME,1' has 2 columns, not 3"),
        ("ACME,1,1,1", "'ACME,1,1,1' has 4 columns, not 3"),
        ("AC ME,1,1", "'AC ME'"),
        (",1,1", "name ''"),
        ("x" * 33 + ",1,1", "x" * 33),
        ("ACME,abc,1", "price 'abc' is not a decimal number"),
        ("ACME,-1,1", "price '-1'"),
        ("ACME,0,1", "price '0' is not within"),
        ("ACME,1.001,1", "price '1.001' has more than two decimals"),
        ("ACME,1e2,1", "price '1e2'"),
        ("ACME,NaN,1", "price 'NaN'"),
        ("ACME,1000000000.01,1", "price '1000000000.01' is not within"),
        ("ACME,1,-1", "quantity '-1'"),
        ("ACME,1,1.5", "quantity '1.5'"),
        ("ACME,1, 1", "quantity ' 1'"),
        ("ACME,1,1000000000000001", "quantity '1000000000000001'"),
        ("ACME,1,\u0661", "quantity '\u0661'"),
        ("T,1,1", "stock 'T' stands in line 2 already"),
        ('"ACME,1,1', "unexpected end of data"),
        ("\udcff,1,1", "\\xff"),
    ],
)
def test_malformed_line_is_named_with_its_value(tmp_path, line, value):
    path = tmp_path / "seed.csv"
    path.write_bytes(f"name,price,quantity\nT,1,1\n{line}\n".encode("utf-8", "surrogateescape"))
    with pytest.raises(StartRefused) as caught:
        read_seed(path)
    message = str(caught.value)
    assert message.startswith(f"seed file {path}, line 3: ")
    assert value in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "line 1: '' is not the header"),
        (b"T,1,1\n", "line 1: 'T,1,1' is not the header"),
        (b"name,price,quantity\n", "names no stock"),
    ],
)
def test_file_without_header_or_stocks_is_refused(tmp_path, content, said):
    path = tmp_path / "seed.csv"
    path.write_bytes(content)
    with pytest.raises(StartRefused, match=said):
        read_seed(path)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(StartRefused, match="cannot be read"):
        read_seed(tmp_path / "none.csv")
