"""One row of the log: its bytes, its limits, and the chain that ties it to the row before.

A row is a line of ASCII without quoting (docs/PROTOCOL.md, "Files"):

    transaction_number,epoch,stock_name,order_type,quantity,price,account,idempotency_key,created_at,chain\\n

`chain` is 8 lower-case hex digits: the CRC-32 of the row's bytes up to and including the comma before it, continued
from the chain of the row before. At number 0 the chain is the CRC-32 of the cluster id. There is exactly one spelling
of a row (no leading zeros, two decimals in the price), so equal rows are equal bytes.
"""

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from zlib import crc32

from common.bounds import (
    ACCOUNT,
    IDEMPOTENCY_KEY,
    MAX_NUMBER,
    MAX_ORDER_QUANTITY,
    MAX_PRICE_CENTS,
    STOCK_NAME,
    TIME,
    price_text,
)

HEADER = b"transaction_number,epoch,stock_name,order_type,quantity,price,account,idempotency_key,created_at,chain\n"

# Shortest and longest row in bytes, "\n" included.
MIN_ROW_BYTES = len("1,1,A,buy,1,0.01,,k,2000-01-01T00:00:00.000000Z,00000000\n")
MAX_ROW_BYTES = sum((16, 16, 32, 4, 10, 13, 64, 64, 27, 8)) + 10

# What follows the bytes that the chain covers: 8 hex digits and "\n".
CHAIN_BYTES = 9


def _up_to(limit: int) -> str:
    """Return the pattern of the whole numbers 1..limit in their one spelling; the short ones match first."""
    digits = str(limit)
    alternatives = [rf"[1-9]\d{{0,{len(digits) - 2}}}"]
    for place, digit in enumerate(digits):
        least = 1 if place == 0 else 0
        if int(digit) > least:
            rest = len(digits) - place - 1
            alternatives.append(rf"{digits[:place]}[{least}-{int(digit) - 1}]\d{{{rest}}}")
    return f"(?:{'|'.join(alternatives)}|{digits})"


_UNITS = MAX_PRICE_CENTS // 100
_PRICE = rf"(?:{_up_to(_UNITS - 1)}\.\d\d|0\.(?:0[1-9]|[1-9]\d)|{_UNITS}\.00)"
_FIELDS = [
    f"({_up_to(MAX_NUMBER)})",
    _up_to(MAX_NUMBER),
    STOCK_NAME.pattern,
    "(?:buy|sell)",
    _up_to(MAX_ORDER_QUANTITY),
    _PRICE,
    ACCOUNT.pattern,
    IDEMPOTENCY_KEY.pattern,
    TIME.pattern,
]
# Groups: the bytes that the chain covers, the number within them, the chain's digits.
_ROW = re.compile(rf"({','.join(_FIELDS)},)([0-9a-f]{{8}})\n".encode())


class Row(NamedTuple):
    """The fields of one order. `order_type` is "buy" or "sell"; `created_at` is UTC, RFC 3339 with microseconds."""

    transaction_number: int
    epoch: int
    stock_name: str
    order_type: str
    quantity: int
    price_cents: int
    account: str
    idempotency_key: str
    created_at: str
    chain: int


class BadRow(Exception):
    """A row that is not what must stand at its place.

    Attributes:
        number: the transaction number of the row that should have stood there.
        reason: what is wrong with it, for people.
    """

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"row {number} {reason}")
        self.number = number
        self.reason = reason


@dataclass(frozen=True, slots=True)
class CheckedRows:
    """Rows that continue a history. Without rows, `last_number` and `last_chain` are those of the row before.

    Attributes:
        ends: for each row the offset behind its "\\n".
    """

    count: int
    ends: "array[int]"
    last_number: int
    last_chain: int


class FoundRow(NamedTuple):
    """The text of a row, found somewhere: well formed, its chain not checked.

    Attributes:
        start: offset of its first byte in the data searched.
        end: offset behind its "\\n".
        number_text: its transaction number. Digits that stood right before the row may be part of it.
        body: the bytes that the chain covers.
    """

    start: int
    end: int
    number_text: bytes
    body: bytes
    chain: int


def chain_seed(cluster_id: str) -> int:
    """Return the chain at number 0 of this cluster's history."""
    return crc32(cluster_id.encode())


def time_text(moment: datetime) -> str:
    """Return an aware UTC time as rows record it: RFC 3339 with microseconds and Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def encode_row(
    *,
    transaction_number: int,
    epoch: int,
    stock_name: str,
    order_type: str,
    quantity: int,
    price_cents: int,
    account: str,
    idempotency_key: str,
    created_at: str,
    prev_chain: int,
) -> tuple[bytes, int]:
    """Return the line of one order, "\\n" included, and its chain.

    The fields must be within common/bounds.py. They are not checked here: `check_rows`, and so `Log.append`, refuses a
    row that is not.
    """
    body = (
        f"{transaction_number},{epoch},{stock_name},{order_type},{quantity},{price_text(price_cents)},"
        f"{account},{idempotency_key},{created_at},"
    ).encode()
    chain = crc32(body, prev_chain)
    return b"%b%08x\n" % (body, chain), chain


def parse_row(line: bytes) -> Row:
    """Return the fields of a checked row, with or without its "\\n". What it does with other bytes is undefined."""
    number, epoch, name, order_type, quantity, price, account, key, created_at, chain = line.decode().split(",")
    return Row(
        int(number),
        int(epoch),
        name,
        order_type,
        int(quantity),
        int(price.replace(".", "")),
        account,
        key,
        created_at,
        int(chain, 16),
    )


def check_rows(data: bytes, prev_number: int, prev_chain: int, base: int = 0) -> CheckedRows:
    """Check that `data` is whole rows that continue the history after `prev_number`, and return where they end.

    Every row must be well formed and within its limits, its number one above the row before, its chain right. A
    changed, missing or added byte never passes. Empty data passes. `base` is added to every offset in `ends`.

    Raises:
        BadRow: the first row that does not pass.
    """
    checked, reason = check_prefix(data, prev_number, prev_chain, base)
    if reason is not None:
        raise BadRow(checked.last_number + 1, reason)
    return checked


def check_unchanged(data: bytes, prev_number: int, prev_chain: int) -> None:
    """Check that rows which have passed `check_rows` are still the same, in less than half of its time.

    What the chain covers was well formed, and still is if the chain is right. A changed, missing or added byte never
    passes; nor do other rows of the history, although their chain is right behind a `prev_chain` that was read with
    them.

    Raises:
        BadRow: the first row that does not pass.
    """
    if not _is_unchanged(data, prev_number, prev_chain):
        check_rows(data, prev_number, prev_chain)  # says what is wrong


def _is_unchanged(data: bytes, prev_number: int, prev_chain: int) -> bool:
    *lines, rest = data.split(b"\n")
    if rest or (lines and not data.startswith(b"%d," % (prev_number + 1))):
        return False
    chain = prev_chain
    for line in lines:
        chain = crc32(line[: 1 - CHAIN_BYTES], chain)
        if line[1 - CHAIN_BYTES :] != b"%08x" % chain:
            return False
    return True


def check_prefix(data: bytes, prev_number: int, prev_chain: int, base: int = 0) -> tuple[CheckedRows, str | None]:
    """Check as `check_rows`, but return the rows before the first bad one, and what is wrong with it, or None."""
    number, chain, end = prev_number, prev_chain, base
    ends = array("q")
    for body, number_text, chain_text in _ROW.findall(data):
        number += 1
        chain = crc32(body, chain)
        end += len(body) + CHAIN_BYTES
        if int(number_text) != number or int(chain_text, 16) != chain:
            break
        ends.append(end)
    else:
        # findall steps over what is no row, so the rows must also add up to all of the data.
        if end - base == len(data):
            return CheckedRows(len(ends), ends, number, chain), None
    return _check_each(data, prev_number, prev_chain, base)


def _check_each(data: bytes, number: int, chain: int, base: int) -> tuple[CheckedRows, str]:
    """Find the first bad row of data that has one. Slower than the search for all rows, and exact about places."""
    ends = array("q")
    position = 0
    while True:
        match = _ROW.match(data, position)
        if match is None:
            reason = _why_not_a_row(data, position)
            break
        body, number_text, chain_text = match.groups()
        new_chain = crc32(body, chain)
        if int(number_text) != number + 1:
            reason = f"has the number {int(number_text)}"
            break
        if int(chain_text, 16) != new_chain:
            reason = f"has the chain {chain_text.decode()}, but {new_chain:08x} continues the row before"
            break
        number, chain, position = number + 1, new_chain, match.end()
        ends.append(base + position)
    return CheckedRows(len(ends), ends, number, chain), reason


def _why_not_a_row(data: bytes, position: int) -> str:
    newline = data.find(b"\n", position, position + MAX_ROW_BYTES)
    if newline < 0:
        return "has no end" if len(data) - position < MAX_ROW_BYTES else "is longer than any row"
    shown = data[position : min(newline, position + 60)].decode("ascii", "backslashreplace")
    return f"is not well formed: {shown!r}"


def find_rows(data: bytes) -> Iterator[FoundRow]:
    """Yield all that looks like a row, wherever it starts, in ascending order."""
    for match in _ROW.finditer(data):
        body, number_text, chain_text = match.groups()
        yield FoundRow(match.start(), match.end(), number_text, body, int(chain_text, 16))
