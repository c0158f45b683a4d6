"""Whether bytes are rows of a history: whole, well formed, in number order, and each continues the chain.

The form of one row: common/rows.py.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

from common.rows import CHAIN_BYTES, MAX_ROW_BYTES, WHOLE_ROW


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
    for body, number_text, chain_text in WHOLE_ROW.findall(data):
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
        match = WHOLE_ROW.match(data, position)
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
    for match in WHOLE_ROW.finditer(data):
        body, number_text, chain_text = match.groups()
        yield FoundRow(match.start(), match.end(), number_text, body, int(chain_text, 16))
