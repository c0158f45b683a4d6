"""What the operator's command prints. Rows and results come in ready-made: nothing here asks a replica anything."""

import json
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from protos import order_pb2
from trading.replicas.resync import ResyncResult
from trading.replicas.status import in_sync_count

COLUMNS = ("ID", "ADDRESS", "ROLE", "STATE", "LAST", "LAG", "RTT", "SEEN", "ERROR")
_LEFT = {"ADDRESS", "ROLE", "STATE", "ERROR"}
_STATE_COLOURS = {"in-sync": "green", "catching-up": "yellow", "faulty": "red"}


def print_json(data: dict[str, Any], out: TextIO) -> None:
    """Print the status as it is in the REST interface."""
    out.write(json.dumps(data, indent=2) + "\n")


def print_table(data: dict[str, Any], out: TextIO, now: datetime) -> None:
    """Print a line on the whole and a row a replica: in colour on a terminal, aligned plain text elsewhere."""
    rows = [_cells(replica, now) for replica in data["replicas"]]
    if not out.isatty():
        out.write(headline(data, now) + "\n")
        out.write(plain_table(rows))
        return
    console = Console(file=out)  # honours NO_COLOR
    console.print(headline(data, now), highlight=False, markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in _LEFT else "right", no_wrap=column != "ERROR")
    for row, replica in zip(rows, data["replicas"], strict=True):
        table.add_row(*row, style=_STATE_COLOURS[replica["state"]])
    console.print(table)


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
    return f"{line}\ncatalog {data['catalog']['address']}: {error}" if error else line


def plain_table(rows: list[tuple[str, ...]]) -> str:
    """Return the rows as lines under their header, columns aligned with spaces."""
    table = [COLUMNS, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(COLUMNS))]
    lines = []
    for row in table:
        cells = [
            cell.ljust(width) if name in _LEFT else cell.rjust(width)
            for cell, width, name in zip(row, widths, COLUMNS, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def result_line(result: ResyncResult) -> str:
    """Return what is said of a follower that was brought into sync."""
    shown = "equal to leader" if result.is_compared else "shown equal by the leader, orders going on"
    return (
        f"replica {result.replica_id}: in sync at {result.number}; {result.copied_orders} copied; "
        f"chain {result.chain:08x} {shown}; {result.seconds:.2f} s"
    )


class _SpeedColumn(ProgressColumn):
    """Orders a second."""

    def render(self, task: Task) -> Text:
        # rich's own speed needs several messages; a short catch-up has one or two.
        return Text(f"{task.completed / task.elapsed if task.elapsed else 0:.0f} orders/s")


class ResyncDisplay:
    """Shows the progress of one resync on stderr: a bar on a terminal, a line for each 10 % elsewhere.

    Use as a context manager; call it with each message of progress.
    """

    def __init__(self, replica_id: int, err: TextIO = sys.stderr) -> None:
        self._replica_id = replica_id
        self._err = err
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._tenths = -1

    def __enter__(self) -> "ResyncDisplay":
        if self._err.isatty():
            self._bar = Progress(
                TextColumn(f"replica {self._replica_id}"),
                BarColumn(),
                MofNCompleteColumn(),
                _SpeedColumn(),
                TimeElapsedColumn(),
                console=Console(file=self._err),
            )
            self._task = self._bar.add_task("", total=None)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, progress: order_pb2.ResyncProgress) -> None:
        done = progress.done_number - progress.from_number
        total = max(done, progress.target_number - progress.from_number)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total)
            return
        tenths = 10 * done // total if total else 10
        if tenths > self._tenths:
            self._tenths = tenths
            self._err.write(f"replica {self._replica_id}: {10 * tenths}% {done}/{total}\n")
            self._err.flush()


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
