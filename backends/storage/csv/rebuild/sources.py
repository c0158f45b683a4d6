"""The logs that a rebuild reads: each locked and checked, none changed, all compared."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backends.storage.csv.files import Files
from backends.storage.csv.log_check import CheckedFile, Visit, check_file, find_damage
from backends.storage.ports import StartRefused
from common.row_checks import find_rows
from common.rows import MIN_ROW_BYTES

_COMPARE_BYTES = 1 << 20


@dataclass(frozen=True)
class Source:
    """One log, as far as it is good.

    Attributes:
        last_number, last_chain: of the last good row.
        good_length: bytes of header and good rows.
        problem: what is wrong behind them, in words; "" if the file ends there or goes on with a torn tail.
        most_rows: how many rows the whole file may have held.
    """

    path: Path
    cluster_id: str
    last_number: int
    last_chain: int
    good_length: int
    problem: str
    most_rows: int


def read_source(path: Path, cluster_id: str, files: Files, visit: Visit | None = None) -> Source | None:
    """Check a log from its beginning and return how far it is good; None: there is no such file.

    `visit` gets the good rows, as of `check_file`.

    Raises:
        OSError: the file cannot be read.
    """
    if not files.exists(path):
        return None
    with _opened(files, path) as descriptor:
        checked = check_file(files, descriptor, cluster_id, visit)
        damaged = checked.bad is not None and find_damage(files, descriptor, checked) is not None
        return Source(
            path=path,
            cluster_id=cluster_id,
            last_number=checked.number,
            last_chain=checked.chain,
            good_length=checked.good_length,
            problem=f"row {checked.bad_number} is damaged: {checked.bad}" if damaged else "",
            most_rows=_most_rows(files, descriptor, checked) if damaged else checked.number,
        )


def differing_number(one: Source, other: Source, files: Files) -> int | None:
    """Return the first transaction number that both hold and that differs; None: one is a prefix of the other."""
    end = min(one.good_length, other.good_length)
    number = 0  # of the row that holds the byte at `position`; 0: the header
    with _opened(files, one.path) as first, _opened(files, other.path) as second:
        for position in range(0, end, _COMPARE_BYTES):
            count = min(_COMPARE_BYTES, end - position)
            ours, theirs = files.pread(first, count, position), files.pread(second, count, position)
            if ours != theirs:
                same = next(index for index in range(count) if ours[index] != theirs[index])
                return number + ours[:same].count(b"\n")
            number += ours.count(b"\n")
    return None


def longest(sources: Sequence[Source]) -> Source | None:
    """Return the source with the most good rows, the first of equals; None if there are none."""
    return max(sources, key=lambda source: source.last_number, default=None)


def check_agreement(sources: Sequence[Source], files: Files) -> None:
    """See that every log is a prefix of the longest: then any two agree.

    Raises:
        StartRefused: two differ at a number that both hold; names both and the number.
    """
    reference = longest(sources)
    for source in sources:
        if reference is None or source is reference:
            continue
        number = differing_number(reference, source, files)
        if number is not None:
            raise StartRefused(
                f"{source.path} and {reference.path} disagree from order {number} on: nothing was changed"
            )


def _most_rows(files: Files, descriptor: int, checked: CheckedFile) -> int:
    """Return how many rows a damaged file may have held: by its lines, and by the numbers of whole rows in them."""
    lines, last_byte, highest = 0, b"", 0
    longest_number = checked.number + (checked.size - checked.good_length) // MIN_ROW_BYTES
    for position in range(checked.good_length, checked.size, _COMPARE_BYTES):
        # A row that two of the pieces share is in neither; the line count stands for it.
        data = files.pread(descriptor, _COMPARE_BYTES, position)
        lines, last_byte = lines + data.count(b"\n"), data[-1:]
        numbers = (int(found.number_text) for found in find_rows(data))
        highest = max((number for number in numbers if number <= longest_number), default=highest)
    return max(checked.number + lines + (last_byte != b"\n"), highest)


@contextmanager
def _opened(files: Files, path: Path) -> Iterator[int]:
    descriptor = files.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        files.close(descriptor)
