"""The status as the operator's command prints it. It comes in ready-made: nothing here asks a replica anything."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from trading.operator.status import finding_lines, in_sync_count

COLUMNS = ("ID", "ADDRESS", "ROLE", "STATE", "LAST", "LAG", "RTT", "SEEN", "ERROR")
# The same, as the JSON names them.
FIELDS = ("id", "address", "role", "state", "last_number", "lag", "rtt_ms", "last_seen", "error")
NO_LOOP = "no health loop runs: a replica that falls behind is not caught up; start one with `manage.py replicas watch`"
_LEFT = frozenset({"ADDRESS", "ROLE", "STATE", "ERROR"})
_STATE_COLOURS = {"in-sync": "green", "catching-up": "yellow", "lagging": "yellow", "faulty": "red"}


def print_json(data: dict[str, Any], out: TextIO) -> None:
    """Print the status as it is in the REST interface."""
    out.write(json.dumps(data, indent=2) + "\n")


def print_tsv(data: dict[str, Any], out: TextIO) -> None:
    """Print a header and a line a replica, fields as in the JSON, parted by tabs; what is not known is empty."""
    rows = [[replica[field] for field in FIELDS] for replica in data["replicas"]]
    out.write(tsv([FIELDS, *rows]))


def print_table(data: dict[str, Any], out: TextIO, now: datetime) -> None:
    """Print a line on the whole and a row a replica: in colour on a terminal, aligned plain text elsewhere."""
    if out.isatty():
        Console(file=out).print(coloured_table(data, now))  # honours NO_COLOR
    else:
        out.write(headline(data, now) + "\n" + plain_table(COLUMNS, _rows(data, now), _LEFT))
        out.writelines(f"{line}\n" for line in finding_lines(data))


def coloured_table(data: dict[str, Any], now: datetime) -> Group:
    """Return what `print_table` shows on a terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in _LEFT else "right", no_wrap=column != "ERROR")
    for row, replica in zip(_rows(data, now), data["replicas"], strict=True):
        table.add_row(*map(Text, row), style=_STATE_COLOURS[replica["state"]])
    return Group(Text(headline(data, now)), table, *(Text(line) for line in finding_lines(data)))


def headline(data: dict[str, Any], now: datetime) -> str:
    """Return the line on the whole: health, leader, epoch, last number, how many are in sync."""
    parts = [
        f"orders: {data['health'].upper()}",
        f"leader {data['leader'] or '-'}",
        f"epoch {data['epoch']}",
        f"last {data['last_number']}",
        f"in sync {in_sync_count(data)}/{len(data['replicas'])} (min {data['min_in_sync']})",
        now.strftime("%Y-%m-%d %H:%M:%SZ"),
    ]
    line = "   ".join(parts)
    error = data["catalog"]["error"]
    lines = [line] + ([f"catalog {data['catalog']['address']}: {error}"] if error else [])
    return "\n".join(lines if data["health_loop"] else [*lines, NO_LOOP])


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]], left: frozenset[str]) -> str:
    """Return the rows as lines under their header, aligned with spaces; the columns of `left` begin at the left."""
    table = [columns, *rows]
    widths = [max(len(row[place]) for row in table) for place in range(len(columns))]
    lines = []
    for row in table:
        cells = [
            cell.ljust(width) if name in left else cell.rjust(width)
            for cell, width, name in zip(row, widths, columns, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def tsv(rows: Sequence[Sequence[object]]) -> str:
    """Return the rows as lines of fields parted by tabs; None is empty, and white space within a field a blank."""
    lines = ["\t".join("" if cell is None else " ".join(str(cell).split()) for cell in row) for row in rows]
    return "".join(line + "\n" for line in lines)


def _rows(data: dict[str, Any], now: datetime) -> list[tuple[str, ...]]:
    return [_cells(replica, now) for replica in data["replicas"]]


def _cells(replica: dict[str, Any], now: datetime) -> tuple[str, ...]:
    rtt_ms = replica["rtt_ms"]
    return (
        str(replica["id"]),
        replica["address"],
        _text(replica["role"]),
        replica["state"],
        _text(replica["last_number"]),
        _text(replica["lag"]),
        "-" if rtt_ms is None else f"{rtt_ms:.1f}ms",
        _seen(replica["last_seen"], now),
        replica["error"] or "",
    )


def _text(value: object) -> str:
    return "-" if value is None else str(value)


def _seen(last_seen: str | None, now: datetime) -> str:
    if last_seen is None:
        return "-"
    moment = datetime.strptime(last_seen, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    age_s = int((now - moment).total_seconds())
    return "now" if age_s < 2 else f"{age_s}s"
