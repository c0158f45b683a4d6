"""The journal's rows, read here on its own: the product's parser is part of what is checked (docs/PROTOCOL.md, 2)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from zlib import crc32

from tests.checker.history import ShownOrder
from tests.checker.violations import Kind, Violation

FIELDS = "transaction_number,epoch,stock_name,order_type,quantity,price,account,idempotency_key,created_at,chain"
HIGHEST_STOCK = 10**15
# A row up to its chain, in the one spelling that it has.
ROW = re.compile(
    r"([1-9]\d*),(0|[1-9]\d*),([^,]+),(buy|sell),([1-9]\d*),"
    r"((?:0|[1-9]\d*)\.\d\d),([^,]*),([^,]+),"
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class LoggedOrder:
    """One row. `number` is its place in the file; `shown` has the number that the row says, which must be the same."""

    number: int
    epoch: int
    account: str
    shown: ShownOrder


@dataclass
class Journal:
    """The rows in file order, and by account and key."""

    rows: list[LoggedOrder] = field(default_factory=list)
    number_by_key: dict[tuple[str, str], int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def get(self, number: int) -> LoggedOrder | None:
        """Return the row of this number, None if there is none."""
        return self.rows[number - 1] if 1 <= number <= len(self.rows) else None

    def of_key(self, account: str, key: str) -> LoggedOrder | None:
        """Return the (first) row of this account and key, None if there is none."""
        return self.get(self.number_by_key.get((account, key), 0))


def read_journal(data: bytes, cluster_id: str) -> tuple[Journal, list[Violation]]:
    """Return the rows up to the first that is not well formed, and what is wrong: form, numbers, chain, time, keys."""
    journal, found = Journal(), list[Violation]()
    header, *lines = data.split(b"\n")
    if header.decode("latin-1") != FIELDS:
        return journal, [Violation(Kind.BAD_JOURNAL, f"the header is {header[:80]!r}")]
    if lines[-1:] != [b""]:
        found.append(Violation(Kind.BAD_JOURNAL, f"the last row has no end: {lines[-1][:120]!r}"))
    chain = crc32(cluster_id.encode())
    for number, line in enumerate(lines[:-1], 1):
        body, _, digits = line.rpartition(b",")
        chain = crc32(body + b",", chain)
        try:
            row = _parse(number, body.decode("ascii"))
        except ValueError as error:
            return journal, [*found, Violation(Kind.BAD_JOURNAL, f"row {number}: {error}: {line[:120]!r}")]
        found += _check_row(journal, row, digits == b"%08x" % chain)
        journal.rows.append(row)
        journal.number_by_key.setdefault((row.account, row.shown.key), number)
    return journal, found


def _parse(place: int, body: str) -> LoggedOrder:
    row = ROW.fullmatch(body)
    if row is None:
        raise ValueError("it is not spelled as a row is")
    number, epoch, name, order_type, quantity, price, account, key, created_at = row.groups()
    shown = ShownOrder(int(number), name, order_type, int(quantity), price, key, created_at)
    return LoggedOrder(place, int(epoch), account, shown)


def _check_row(journal: Journal, row: LoggedOrder, chain_is_right: bool) -> list[Violation]:
    found, number = [], row.number
    before = journal.get(number - 1)
    if row.shown.number != number:
        found.append(f"row {number} has the number {row.shown.number}")
    elif not chain_is_right:
        found.append(f"row {number} does not continue the chain")
    if before is not None and before.shown.created_at > row.shown.created_at:
        found.append(f"row {number} is older than the row before")
    if before is not None and before.epoch > row.epoch:
        found.append(f"row {number} has epoch {row.epoch} behind {before.epoch}")
    violations = [Violation(Kind.BAD_JOURNAL, text) for text in found]
    other = journal.number_by_key.get((row.account, row.shown.key))
    if other is not None:
        violations.append(Violation(Kind.TWO_ORDERS, f"{row.shown.key!r} made orders {other} and {number}"))
    return violations


def check_conservation(journal: Journal, initial: Mapping[str, int]) -> list[Violation]:
    """Check that no stock is ever below 0 or above its limit, and that every order is of a known stock."""
    quantities, found = dict(initial), []
    for row in journal.rows:
        number, order = row.number, row.shown
        if order.name not in quantities:
            found.append(Violation(Kind.NOT_CONSERVED, f"order {number} is of unknown stock {order.name!r}"))
            continue
        quantities[order.name] += order.quantity if order.order_type == "sell" else -order.quantity
        if not 0 <= quantities[order.name] <= HIGHEST_STOCK:
            text = f"{order.name} is at {quantities[order.name]} behind order {number}"
            found.append(Violation(Kind.NOT_CONSERVED, text))
    return found


def check_files(files: Mapping[str, bytes], journal: bytes, behind: frozenset[str]) -> list[Violation]:
    """Check that every replica's log is the journal to the byte; of those named in `behind`, as far as it goes."""
    found = []
    for name, data in files.items():
        expected = journal[: len(data)] if name in behind else journal
        if data != expected:
            at = next((place for place, (a, b) in enumerate(zip(data, journal, strict=False)) if a != b), None)
            where = "one ends earlier" if at is None else f"first in row {_count_lines(journal[:at])}"
            rows = f"{_count_lines(data) - 1} rows, the journal {_count_lines(journal) - 1}"
            found.append(Violation(Kind.FILES_DIFFER, f"{name} has {rows}; {where}"))
    return found


def _count_lines(data: bytes) -> int:
    return data.count(b"\n")
