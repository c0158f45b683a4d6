"""`catalog_database.csv`: the stocks as of one trade, always replaced as a whole.

A header, then a line a stock in name order: name,price,initial_quantity,quantity,last_trade. The trade that the file
is of is the highest `last_trade` in it.
"""

import re
from collections.abc import Iterable

from backends.storage.model import Stock
from common.bounds import MAX_NUMBER, MAX_STOCK_QUANTITY, STOCK_NAME, price_cents, price_text

DATABASE_NAME = "catalog_database.csv"

_HEADER = "name,price,initial_quantity,quantity,last_trade"
_COUNT = r"(0|[1-9][0-9]{0,15})"
_LINE = re.compile(rf"({STOCK_NAME.pattern}),([0-9]{{1,10}}\.[0-9]{{2}}),{_COUNT},{_COUNT},{_COUNT}")


class MalformedCheckpoint(Exception):
    """The file is not what this catalog writes; the message names line and value."""


def render_checkpoint(stocks: Iterable[Stock]) -> bytes:
    """Return the file's content for these stocks."""
    lines = [_HEADER]
    for stock in sorted(stocks, key=lambda each: each.name):
        price = price_text(stock.price_cents)
        lines.append(f"{stock.name},{price},{stock.initial_quantity},{stock.quantity},{stock.last_trade}")
    return "".join(f"{line}\n" for line in lines).encode()


def parse_checkpoint(data: bytes) -> list[Stock]:
    """Return the stocks of a file's content.

    Raises:
        MalformedCheckpoint: a line is malformed or names a stock again, or the last line has no end.
    """
    header, *lines = data.decode("ascii", "backslashreplace").split("\n")
    if header != _HEADER:
        raise MalformedCheckpoint(f"line 1: {header[:80]!r} is not the header {_HEADER!r}")
    if not lines or lines.pop():
        raise MalformedCheckpoint(f"line {len(lines) + 2} has no end")
    stocks: dict[str, Stock] = {}
    for number, line in enumerate(lines, start=2):
        stock = _parse_line(line)
        if stock is None:
            raise MalformedCheckpoint(f"line {number} is malformed: {line[:120]!r}")
        if stock.name in stocks:
            raise MalformedCheckpoint(f"line {number} names stock {stock.name!r} again")
        stocks[stock.name] = stock
    return list(stocks.values())


def checkpoint_number(stocks: Iterable[Stock]) -> int:
    """Return the number of the trade that these stocks are as of, 0 if none was ever traded."""
    return max((stock.last_trade for stock in stocks), default=0)


def _parse_line(line: str) -> Stock | None:
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    name, price, initial_quantity, quantity, last_trade = match.groups()
    try:
        cents = price_cents(price)
    except ValueError:
        return None
    if max(int(initial_quantity), int(quantity)) > MAX_STOCK_QUANTITY or int(last_trade) > MAX_NUMBER:
        return None
    return Stock(name, cents, int(initial_quantity), int(quantity), int(last_trade))
