"""Finding stocks by a part of their name."""

import pytest

from trading.dashboard import stock_search
from trading.dashboard.stock_search import StockSearch, load_names
from trading.reads.stock import Stock

NAMES = ["AAPL", "BETA", "alpha", "beta.A"]


@pytest.fixture
def search():
    return StockSearch(lambda: NAMES, lambda names: [Stock(name, 100, 5) for name in sorted(names)])


def found(search, text, most=10):
    result = search.find(text, most)
    return [stock.name for stock in result.stocks], result.more


def test_without_a_text_all_are_found_as_the_catalog_lists_them(search):
    assert found(search, "") == (NAMES, 0)


def test_case_does_not_matter_and_who_begins_with_the_text_comes_first(search):
    assert found(search, "a") == (["AAPL", "alpha", "BETA", "beta.A"], 0)
    assert found(search, " Beta ") == (["BETA", "beta.A"], 0)


def test_only_so_many_are_read_and_the_others_counted(search):
    assert found(search, "", most=3) == (["AAPL", "BETA", "alpha"], 1)


def test_nothing_matches_and_nobody_is_asked():
    search = StockSearch(lambda: NAMES, lambda names: pytest.fail("the catalog was asked"))
    assert found(search, "zeta") == ([], 0)


def test_a_stock_that_is_gone_is_left_out():
    search = StockSearch(lambda: NAMES, lambda names: [Stock("BETA", 100, 5)])
    assert found(search, "beta") == (["BETA"], 0)


def test_names_are_gathered_from_all_pages(market, monkeypatch):
    monkeypatch.setattr(stock_search, "MAX_PAGE", 2)
    assert load_names() == ["BlueFinch", "Cent", "Dear"]


def test_so_many_names_are_gathered_at_most(market, monkeypatch):
    monkeypatch.setattr(stock_search, "MAX_PAGE", 1)
    monkeypatch.setattr(stock_search, "MOST_NAMES", 2)
    assert load_names() == ["BlueFinch", "Cent"]
