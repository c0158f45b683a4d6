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
        ("ACME,0.30000000000000004,1", "price '0.30000000000000004' has more than two decimals"),
        (f"ACME,0.3{'0' * 40}4,1", "has more than two decimals"),
        (".,1,1", "name '.'"),
        ("..,1,1", "name '..'"),
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
        (b"\n\nT,1,1\n", "line 3: 'T,1,1' is not the header"),
        (b"name,price,quantity,price\nT,1,1,2\n", "line 1: 'name,price,quantity,price' is not the header"),
        (b"name,price,volume\nT,1,1\n", "line 1: 'name,price,volume' is not the header"),
        (b"name,price,quantity\n", "names no stock"),
    ],
)
def test_file_without_header_or_stocks_is_refused(tmp_path, content, said):
    path = tmp_path / "seed.csv"
    path.write_bytes(content)
    with pytest.raises(StartRefused, match=said):
        read_seed(path)


@pytest.mark.parametrize("before", [b"\n", b"\r\n \r\n", b"\xef\xbb\xbf\n"])
def test_blank_lines_before_the_header_are_passed_over(tmp_path, before):
    path = tmp_path / "seed.csv"
    path.write_bytes(before + b"name,price,quantity\nT,1.50,2\n")
    assert read_seed(path) == [Stock.new("T", 150, 2)]


def test_other_columns_are_ignored_and_named_in_one_line(tmp_path):
    path = tmp_path / "seed.csv"
    path.write_text("sector,name,volume,price,quantity\ntech,T,3,1.5,2\n,ACME,,1,4\n")
    told: list[str] = []
    assert read_seed(path, told.append) == [Stock.new("T", 150, 2), Stock.new("ACME", 100, 4)]
    assert told == [
        f"seed file {path}, line 1: 'sector,name,volume,price,quantity': the columns sector, volume are ignored"
    ]


def test_line_with_other_columns_than_its_header_is_named(tmp_path):
    path = tmp_path / "seed.csv"
    path.write_text("name,price,quantity,volume\nT,1,2\n")
    with pytest.raises(StartRefused, match="line 2: 'T,1,2' has 3 columns, not 4"):
        read_seed(path)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(StartRefused, match="cannot be read"):
        read_seed(tmp_path / "none.csv")
