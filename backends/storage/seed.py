"""The stocks that a new catalog begins with, read from a CSV file with the columns name, price and quantity."""

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from backends.storage.ports import StartRefused
from backends.storage.values import Stock
from common.bounds import MAX_STOCK_QUANTITY, STOCK_NAME, STOCK_NAME_RULE, price_cents

DEFAULT_STOCKS = Path(__file__).with_name("default_stocks.csv")

_COLUMNS = ["name", "price", "quantity"]
_PRICE = re.compile(r"[0-9]{1,12}(\.[0-9]+)?")
_QUANTITY = re.compile(r"[0-9]{1,16}")


def read_seed(path: Path, report: Callable[[str], object] = lambda _line: None) -> list[Stock]:
    """Return the stocks of a seed file, in its order. Blank lines and a byte order mark are passed over.

    Columns beside the three are ignored; `report` is given one line that names them.

    Raises:
        StartRefused: the file cannot be read, names no stock, or a line is malformed; names the line and its value.
    """
    try:
        # A byte that is no UTF-8 is kept in a printable form, for the message about its line.
        with path.open(encoding="utf-8-sig", errors="backslashreplace", newline="") as file:
            stocks = _read_stocks(file, path, report)
    except OSError as error:
        raise StartRefused(f"seed file {path} cannot be read: {error.strerror}") from error
    if not stocks:
        raise StartRefused(f"seed file {path} names no stock")
    return stocks


def _read_stocks(file: TextIO, path: Path, report: Callable[[str], object]) -> list[Stock]:
    stocks: list[Stock] = []
    lines: dict[str, int] = {}
    for number, fields in _numbered_lines(file, path, report):
        try:
            stock = _parse_stock(*fields)
            if stock.name in lines:
                raise ValueError(f"stock {stock.name!r} stands in line {lines[stock.name]} already")
        except ValueError as error:
            raise StartRefused(f"seed file {path}, line {number}: {error}") from error
        lines[stock.name] = number
        stocks.append(stock)
    return stocks


def _numbered_lines(
    file: TextIO, path: Path, report: Callable[[str], object]
) -> Iterator[tuple[int, tuple[str, str, str]]]:
    """Check the header, then yield name, price and quantity of each line that is not blank, with its number."""
    reader = csv.reader(file, strict=True)
    lines = ((reader.line_num, fields) for fields in reader if len(fields) > 1 or "".join(fields).strip())
    try:
        number, header = next(lines, (1, []))
        shown = f"seed file {path}, line {number}: {','.join(header)[:80]!r}"
        if any(header.count(column) != 1 for column in _COLUMNS):
            raise StartRefused(f"{shown} is not the header '{','.join(_COLUMNS)}'")
        if ignored := [column for column in header if column not in _COLUMNS]:
            report(f"{shown}: the columns {', '.join(ignored)[:80]} are ignored")
        name, price, quantity = (header.index(column) for column in _COLUMNS)
        for number, fields in lines:
            if len(fields) != len(header):
                told = f"{','.join(fields)[:80]!r} has {len(fields)} columns, not {len(header)}"
                raise StartRefused(f"seed file {path}, line {number}: {told}")
            yield number, (fields[name], fields[price], fields[quantity])
    except csv.Error as error:
        raise StartRefused(f"seed file {path}, line {reader.line_num}: {error}") from error


def _parse_stock(name: str, price: str, quantity: str) -> Stock:
    """Return the stock of one line.

    Raises:
        ValueError: it is malformed; the message names the value.
    """
    if not STOCK_NAME.fullmatch(name):
        raise ValueError(f"name {name[:80]!r} is not {STOCK_NAME_RULE}")
    if not _PRICE.fullmatch(price):
        raise ValueError(f"price {price[:80]!r} is not a decimal number")
    if not _QUANTITY.fullmatch(quantity) or int(quantity) > MAX_STOCK_QUANTITY:
        raise ValueError(f"quantity {quantity[:80]!r} is not a whole number within 0 to {MAX_STOCK_QUANTITY}")
    return Stock.new(name, price_cents(price), int(quantity))
