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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import Annotated, NamedTuple
from zlib import crc32

from common.bounds import (
    ACCOUNT,
    HELD_STOCK_NAME,
    IDEMPOTENCY_KEY,
    MAX_NUMBER,
    MAX_ORDER_QUANTITY,
    MAX_PRICE_CENTS,
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
    stock_name: Annotated[str, Column(HELD_STOCK_NAME.pattern, 1, 32)]
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
WHOLE_ROW = re.compile(rf"(({_NUMBER}),{','.join(_PATTERNS)},)({_CHAIN})\n".encode())


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
