"""Searching a log: filters over the bytes of its rows, a bounded number of them a call."""

import re
from collections.abc import Iterator, Sequence

from backends.storage.csv.log import Log
from backends.storage.values import RowPage, RowQuery
from common.rows import Row, parse_row, row_pattern

CHUNK_ROWS = 4_096
# Some 30 ms of scanning: a sparse filter gives short pages with a place to go on, not a call that keeps the processor
# from the order path.
MAX_SCANNED_ROWS = 20_000


def query_log(log: Log, query: RowQuery) -> RowPage:
    """Return the page of the rows that match: see ports.OrderLog.query.

    Unfiltered, the cost does not depend on the place in the log. Filters are one regular expression over the rows'
    bytes; at most MAX_SCANNED_ROWS rows are looked at, then the page ends early with a `resume_number`.
    """
    last_number = log.last_number
    first, last = _bounds(log, query, last_number)
    pattern = _pattern(query)
    found: list[Row] = []
    scanned = 0
    for chunk_first, chunk_last in _chunks(first, last, query.descending):
        lines = pattern.findall(log.read(chunk_first, chunk_last))
        for line in reversed(lines) if query.descending else lines:
            if len(found) == query.limit:
                return RowPage(found, last_number, found[-1].transaction_number)
            found.append(parse_row(line))
        scanned += chunk_last - chunk_first + 1
        if scanned >= MAX_SCANNED_ROWS and (chunk_first > first if query.descending else chunk_last < last):
            return RowPage(found, last_number, chunk_first if query.descending else chunk_last)
    return RowPage(found, last_number, 0)


def _bounds(log: Log, query: RowQuery, last_number: int) -> tuple[int, int]:
    """Return the first and the last number that can match; last is below first when none can."""
    first, last = query.after_number + 1, last_number
    if query.before_number:
        last = min(last, query.before_number - 1)
    if query.after_time:
        first = max(first, _first_not_before(log, last_number, query.after_time, inclusive=False))
    if query.until_time:
        last = min(last, _first_not_before(log, last_number, query.until_time, inclusive=True) - 1)
    return first, last


def _first_not_before(log: Log, last_number: int, time: str, *, inclusive: bool) -> int:
    """Return the first number made at or after `time` (after it, if not inclusive), by bisection.

    It may be last_number + 1. Times never fall as numbers rise, and their texts compare as they do.
    """
    low, high = 1, last_number + 1
    while low < high:
        middle = (low + high) // 2
        created_at = log.row(middle).created_at
        if created_at > time or (inclusive and created_at == time):
            high = middle
        else:
            low = middle + 1
    return low


def _chunks(first: int, last: int, descending: bool) -> Iterator[tuple[int, int]]:
    """Yield the ranges of numbers to look at, nearest first; small ones first, as most pages end soon."""
    size = 64
    while first <= last:
        if descending:
            yield max(first, last - size + 1), last
            last -= size
        else:
            yield first, min(last, first + size - 1)
            first += size
        size = min(size * 4, CHUNK_ROWS)


def _pattern(query: RowQuery) -> "re.Pattern[bytes]":
    """Return what finds the rows of the log that pass the filters."""
    wanted: dict[str, Sequence[str]] = {}
    if query.stock_names:
        wanted["stock_name"] = query.stock_names
    if query.order_type:
        wanted["order_type"] = [query.order_type]
    if query.account is not None:
        wanted["account"] = [query.account]
    if query.idempotency_key:
        wanted["idempotency_key"] = [query.idempotency_key]
    return row_pattern(wanted)
