"""The stocks that a new catalog begins with, read from a CSV file with the columns name, price, quantity."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from backends.storage.ports import StartRefused
from backends.storage.values import Stock
from common.bounds import MAX_STOCK_QUANTITY, STOCK_NAME, price_cents

DEFAULT_STOCKS = Path(__file__).with_name("default_stocks.csv")

_COLUMNS = ["name", "price", "quantity"]
_PRICE = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
_QUANTITY = re.compile(r"[0-9]{1,16}")


def read_seed(path: Path) -> list[Stock]:
    """Return the stocks of a seed file, in its order. Blank lines and a byte order mark are passed over.

    Raises:
        StartRefused: the file cannot be read, names no stock, or a line is malformed; names the line and its value.
    """
    try:
        # A byte that is no UTF-8 is kept in a printable form, for the message about its line.
        with path.open(encoding="utf-8-sig", errors="backslashreplace", newline="") as file:
            stocks = _read_stocks(file, path)
    except OSError as error:
        raise StartRefused(f"seed file {path} cannot be read: {error.strerror}") from error
    if not stocks:
        raise StartRefused(f"seed file {path} names no stock")
    return stocks


def _read_stocks(file: TextIO, path: Path) -> list[Stock]:
    stocks: list[Stock] = []
    lines: dict[str, int] = {}
    for number, fields in _numbered_lines(file, path):
        try:
            stock = _parse_stock(fields)
            if stock.name in lines:
                raise ValueError(f"stock {stock.name!r} stands in line {lines[stock.name]} already")
        except ValueError as error:
            raise StartRefused(f"seed file {path}, line {number}: {error}") from error
        lines[stock.name] = number
        stocks.append(stock)
    return stocks


def _numbered_lines(file: TextIO, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Check the header, then yield the fields of each line that is not blank, with its number in the file."""
    reader = csv.reader(file, strict=True)
    try:
        header = next(reader, [])
        if header != _COLUMNS:
            raise StartRefused(
                f"seed file {path}, line 1: {','.join(header)[:80]!r} is not the header '{','.join(_COLUMNS)}'"
            )
        for fields in reader:
            if fields:
                yield reader.line_num, fields
    except csv.Error as error:
        raise StartRefused(f"seed file {path}, line {reader.line_num}: {error}") from error


def _parse_stock(fields: list[str]) -> Stock:
    """Return the stock of one line.

    Raises:
        ValueError: it is malformed; the message names the value.
    """
    if len(fields) != len(_COLUMNS):
        raise ValueError(f"{','.join(fields)[:80]!r} has {len(fields)} columns, not {len(_COLUMNS)}")
    name, price, quantity = fields
    if not STOCK_NAME.fullmatch(name):
        raise ValueError(f"name {name[:80]!r} is not 1 to 32 of A-Z a-z 0-9 . _ -")
    if not _PRICE.fullmatch(price):
        raise ValueError(f"price {price[:80]!r} is not a decimal number")
    if not _QUANTITY.fullmatch(quantity) or int(quantity) > MAX_STOCK_QUANTITY:
        raise ValueError(f"quantity {quantity[:80]!r} is not a whole number within 0 to {MAX_STOCK_QUANTITY}")
    return Stock.new(name, price_cents(price), int(quantity))
