"""The one table that is printed, and the file of the same figures."""

import json
from collections.abc import Mapping
from pathlib import Path

from benchmarks.results import Results, Row

_HEAD = ("what", "median", "lowest - highest", "unit", "note")


def figure(value: float) -> str:
    """Return a figure with three significant digits, or as a whole number with separators from 100 on."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


def _cells(row: Row) -> tuple[str, ...]:
    spread = f"{figure(row.low)} - {figure(row.high)}" if len(row.values) > 1 else ""
    return row.what, figure(row.median), spread, row.unit, row.note


def render(results: Results, environment: Mapping[str, object]) -> str:
    """Return the table: the environment, a block a part, remarks, and what failed."""
    lines = [f"{name}: {value}" for name, value in environment.items()]
    cells = [_cells(row) for row in results.rows]
    widths = [max(len(line[place]) for line in [_HEAD, *cells]) for place in range(4)]

    def line(texts: tuple[str, ...]) -> str:
        what, median, spread, unit, note = texts
        middle = f"{median:>{widths[1]}}  {spread:>{widths[2]}}  {unit:<{widths[3]}}"
        return f"  {what:<{widths[0]}}  {middle}  {note}".rstrip()

    lines += ["", line(_HEAD)]
    for part in dict.fromkeys(row.part for row in results.rows):
        lines += ["", part]
        lines += [line(texts) for row, texts in zip(results.rows, cells, strict=True) if row.part == part]
    lines += ["", *results.remarks] if results.remarks else []
    lines += ["", *(f"FAILED: {failure}" for failure in results.failures)] if results.failures else []
    return "\n".join(lines) + "\n"


def write_json(results: Results, environment: Mapping[str, object], path: Path) -> None:
    """Write everything that was measured, every value of every round."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "environment": dict(environment),
        "rows": [row.as_json() for row in results.rows],
        "remarks": results.remarks,
        "failures": results.failures,
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
