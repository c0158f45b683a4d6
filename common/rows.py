"""One row of the log: its columns, its bytes, its limits, and the chain that ties it to the row before.

Nobody else knows the columns: `Row` is their one list, and what is said of all of them (the header, the patterns, the
limits) follows from it. The messages that say an order are turned into rows and back here too.

A row is a line of ASCII without quoting (docs/PROTOCOL.md, "Files"):

    transaction_number,epoch,stock_name,order_type,quantity,price,account,idempotency_key,created_at,chain\\n

`chain` is 8 lower-case hex digits: the CRC-32 of the row's bytes up to and including the comma before it, continued
from the chain of the row before. At number 0 the chain is the CRC-32 of the cluster id. There is exactly one spelling
of a row (no leading zeros, two decimals in the price), so equal rows are equal bytes.
"""

import re
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import Annotated, NamedTuple
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
from protos import catalog_pb2, order_pb2

# A row's words for what messages have an enum for, and back.
ORDER_TYPES = {"buy": catalog_pb2.BUY, "sell": catalog_pb2.SELL}
ORDER_TYPE_NAMES = {order_type: name for name, order_type in ORDER_TYPES.items()}


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


@dataclass(frozen=True, slots=True)
class Column:
    """The text of a column.

    Attributes:
        pattern: matches the whole of it, and has no group.
        shortest, longest: its length in bytes.
        name: in the header, if it is not the field's.
    """

    pattern: str
    shortest: int
    longest: int
    name: str = ""


class Row(NamedTuple):
    """The fields of one order, and with them the columns of a row in their order.

    `order_type` is "buy" or "sell"; `created_at` is UTC, RFC 3339 with microseconds.
    """

    transaction_number: Annotated[int, Column(_up_to(MAX_NUMBER), 1, 16)]
    epoch: Annotated[int, Column(_up_to(MAX_NUMBER), 1, 16)]
    stock_name: Annotated[str, Column(STOCK_NAME.pattern, 1, 32)]
    order_type: Annotated[str, Column(f"(?:{'|'.join(ORDER_TYPES)})", 3, 4)]
    quantity: Annotated[int, Column(_up_to(MAX_ORDER_QUANTITY), 1, 10)]
    price_cents: Annotated[int, Column(_PRICE, 4, 13, name="price")]
    account: Annotated[str, Column(ACCOUNT.pattern, 0, 64)]
    idempotency_key: Annotated[str, Column(IDEMPOTENCY_KEY.pattern, 1, 64)]
    created_at: Annotated[str, Column(TIME.pattern, 27, 27)]
    chain: Annotated[int, Column("[0-9a-f]{8}", 8, 8)]


COLUMNS: dict[str, Column] = {field: kind.__metadata__[0] for field, kind in Row.__annotations__.items()}
HEADER = (",".join(column.name or field for field, column in COLUMNS.items()) + "\n").encode()

# Shortest and longest row in bytes; behind each column is a "," or the "\n".
MIN_ROW_BYTES = sum(column.shortest + 1 for column in COLUMNS.values())
MAX_ROW_BYTES = sum(column.longest + 1 for column in COLUMNS.values())

# What follows the bytes that the chain covers: 8 hex digits and "\n".
CHAIN_BYTES = COLUMNS["chain"].longest + 1

_NUMBER, *_PATTERNS, _CHAIN = [column.pattern for column in COLUMNS.values()]
# Groups: the bytes that the chain covers, the number within them, the chain's digits.
_ROW = re.compile(rf"(({_NUMBER}),{','.join(_PATTERNS)},)({_CHAIN})\n".encode())


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


def encode_order(
    wanted: catalog_pb2.NewOrder,
    *,
    transaction_number: int,
    epoch: int,
    price_cents: int,
    created_at: str,
    prev_chain: int,
) -> tuple[bytes, int]:
    """Return the line of an order that was asked for, and its chain; as `encode_row`."""
    return encode_row(
        transaction_number=transaction_number,
        epoch=epoch,
        stock_name=wanted.stock_name,
        order_type=ORDER_TYPE_NAMES[wanted.order_type],
        quantity=wanted.quantity,
        price_cents=price_cents,
        account=wanted.account,
        idempotency_key=wanted.idempotency_key,
        created_at=created_at,
        prev_chain=prev_chain,
    )


def parse_row(line: bytes) -> Row:
    """Return the fields of a checked row, with or without its "\\n". What it does with other bytes is undefined."""
    number, epoch, name, order_type, quantity, price, account, key, created_at, chain = line.decode().split(",")
    # Not Row(...), which takes longer: every order comes this way.
    return tuple.__new__(
        Row,
        (
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
        ),
    )


def order_from_row(row: Row) -> order_pb2.Order:
    """Return the order that a row of the log records."""
    return order_pb2.Order(
        transaction_number=row.transaction_number,
        epoch=row.epoch,
        stock_name=row.stock_name,
        order_type=ORDER_TYPES[row.order_type],
        quantity=row.quantity,
        price_cents=row.price_cents,
        account=row.account,
        idempotency_key=row.idempotency_key,
        created_at=row.created_at,
    )


def places(*fields: str) -> list[int]:
    """Return where these fields stand in a row that `split_rows` has split."""
    return [Row._fields.index(field) for field in fields]


def split_rows(lines: Iterable[bytes], last: str = "chain") -> Iterator[list[bytes]]:
    """Yield the texts of each line's columns, for loops over the whole log that `parse_row` is too slow for.

    Nothing behind the field `last` need be split. Adds nothing to what `split` takes: it is called from C.
    """
    return map(bytes.split, lines, repeat(b","), repeat(Row._fields.index(last) + 1))


def cents_of(price: bytes) -> int:
    """Return the cents that a row's text of a price says."""
    return int(price.replace(b".", b""))


def row_pattern(wanted: Mapping[str, Iterable[str]]) -> "re.Pattern[bytes]":
    """Return what finds whole rows, "\\n" included, in rows of the log: of each field named, one of the texts given."""
    patterns = dict.fromkeys(Row._fields, rb"[^,\n]*")
    for field, texts in wanted.items():
        patterns[field] = b"(?:" + b"|".join(re.escape(text.encode()) for text in texts) + b")"
    return re.compile(rb"^" + b",".join(patterns.values()) + rb"\n", re.MULTILINE)


def end_chain(rows: bytes) -> int:
    """Return the chain of the last of these rows, one at least."""
    return int(rows[-CHAIN_BYTES:-1], 16)


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
