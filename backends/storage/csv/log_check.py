"""Checking a log file, and telling a torn tail from damage. Nothing here changes the file.

Both begin with a bad row, the first that does not continue the history; at its place row n must stand. A torn tail is
what a crash left of a batch that was never synced, and so never answered: the row has no end, or zeros where the disk
has nothing. It is damage if a good row comes after it; if it is whole, from its first byte to its "\\n"; or if it is
the header, which was synced before any row. The chain cannot be checked across the gap, so "good" is decided without
it. The text of a row, well formed from its number to its "\\n", is taken for a good row if one of these holds:

- By number and chain it continues the row found before it (or the last good one), and its number is at least n.
- Its number m > n can stand at its place: the bytes from the bad row to it could be the m - n rows n..m-1.
  So a single last row after the bad one counts.

It need not begin a line: the "\\n" before it may be the byte that is broken. An end that was cut off or filled with
zeros has no such row. A batch that came back from a power cut with a hole in it may have some: nothing in the file
tells it from damage. The header counts as row 0.
"""

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias
from zlib import crc32

from backends.storage.csv.files import Files
from common.row_checks import FoundRow, check_prefix, find_rows
from common.rows import HEADER, MAX_ROW_BYTES, MIN_ROW_BYTES, chain_seed

CHUNK_BYTES = 1 << 18  # larger ones are slower: the rows of one should stay in the processor's cache

Visit: TypeAlias = Callable[[bytes, int], None]


@dataclass
class CheckedFile:
    """A log's rows, as far as they are good.

    Attributes:
        chain: the chain at `number`.
        size: length of the whole file in bytes.
        number: the last good row; 0 if there is none.
        bad: what is wrong with the row after it; None: the file ends there.
        header_is_good: if not, no row was looked at, and the bad row is the header.
        ends: the offset behind each good row, by its number; behind the header at 0.
    """

    chain: int
    size: int
    number: int = 0
    bad: str | None = None
    header_is_good: bool = True
    ends: "array[int]" = field(default_factory=lambda: array("q", [len(HEADER)]))

    @property
    def bad_number(self) -> int:
        """The number of the row that should stand behind the good ones; 0: the header."""
        return self.number + 1 if self.header_is_good else 0

    @property
    def good_length(self) -> int:
        """How many bytes at the beginning are good: header and rows, or nothing."""
        return self.ends[-1] if self.header_is_good else 0


def check_file(files: Files, descriptor: int, cluster_id: str, visit: Visit | None = None) -> CheckedFile:
    """Check the rows of an open log, in bounded chunks, up to the first bad one.

    `visit` gets the bytes of each run of good rows, in order, and the number of its first row.
    """
    checked = CheckedFile(chain_seed(cluster_id), files.size(descriptor))
    if files.pread(descriptor, len(HEADER), 0) != HEADER:
        checked.header_is_good = False
        checked.bad = "(the header) is not that of a log"
        return checked
    position, rest = len(HEADER), b""
    while chunk := files.pread(descriptor, CHUNK_BYTES, position):
        position += len(chunk)
        data = rest + chunk
        whole = data.rfind(b"\n") + 1
        rest = data[whole:]
        # A rest longer than any row is bad already: more chunks would only let it grow.
        _check_chunk(checked, data[:whole] if len(rest) < MAX_ROW_BYTES else data, visit)
        if checked.bad is not None:
            return checked
    if rest:
        checked.bad = f"has no end: the file ends after {len(rest)} bytes of it"
    return checked


def _check_chunk(checked: CheckedFile, data: bytes, visit: Visit | None) -> None:
    base = checked.ends[-1]
    rows, checked.bad = check_prefix(data, checked.number, checked.chain, base)
    if not rows.count:
        return
    first_number = checked.number + 1
    checked.ends.extend(rows.ends)
    checked.number, checked.chain = rows.last_number, rows.last_chain
    if visit is not None:
        visit(data[: rows.ends[-1] - base], first_number)


def find_damage(files: Files, descriptor: int, checked: CheckedFile) -> str | None:
    """Return how it shows that the bad row is damage, in words; None: it is a torn tail. See the module."""
    good_row = find_good_row(files, descriptor, checked)
    if good_row is not None:
        return f"a good row follows at byte {good_row}"
    if not checked.header_is_good:
        return "it was there before any row"
    tail = files.pread(descriptor, MAX_ROW_BYTES, checked.good_length)
    row, end, _ = tail.partition(b"\n")
    is_whole = bool(end) or len(row) == MAX_ROW_BYTES
    return "it is whole: no crash leaves such a row" if is_whole and b"\0" not in row else None


def find_good_row(files: Files, descriptor: int, checked: CheckedFile) -> int | None:
    """Return the offset of a good row behind the bad one, None if there is none. What is good: see the module."""
    bad_start, bad_number = checked.good_length, checked.bad_number
    previous_number, previous_chain = checked.number, checked.chain
    # Windows overlap by two rows: no row, and no pair of rows, is cut apart by every window.
    for window_start in range(bad_start, checked.size, CHUNK_BYTES - 2 * MAX_ROW_BYTES):
        for found in find_rows(files.pread(descriptor, CHUNK_BYTES, window_start)):
            start = window_start + found.start
            next_number = previous_number + 1
            if next_number >= bad_number and _continues(found, next_number, previous_chain):
                return start
            if _fits(found, start - bad_start, bad_number):
                return start
            previous_number, previous_chain = int(found.number_text), found.chain
    return None


def _continues(found: FoundRow, number: int, prev_chain: int) -> bool:
    """Whether a found row is row `number`, behind a row with this chain. A chance hit is one in 2^32."""
    digits = b"%d" % number
    if not found.number_text.endswith(digits):
        return False
    stuck = len(found.number_text) - len(digits)
    return crc32(found.body[stuck:], prev_chain) == found.chain


def _fits(found: FoundRow, distance: int, bad_number: int) -> bool:
    """Whether a found row's number can stand `distance` bytes behind the place of row `bad_number`."""
    for stuck in range(len(found.number_text)):
        rows_between = int(found.number_text[stuck:]) - bad_number
        if rows_between > 0 and rows_between * MIN_ROW_BYTES <= distance + stuck <= rows_between * MAX_ROW_BYTES:
            return True
    return False
