"""Where the marks of a timeline are written, so that none covers another."""

from collections.abc import Sequence

CHARACTER_SHARE = 0.013  # of the width of the picture, at the size the labels are written in
ROW_COUNT = 6


def label_rows(marks: Sequence[tuple[float, str]], width_s: float) -> list[int]:
    """Return for each mark (seconds, what), in the order of time, the row its label goes into: 0 is the upper one.

    Each goes into the first row that is free there. If none is, it goes where the least is covered.
    """
    ends = [float("-inf")] * ROW_COUNT
    rows = []
    for at_s, what in marks:
        free = [row for row, end in enumerate(ends) if end <= at_s]
        row = free[0] if free else ends.index(min(ends))
        ends[row] = at_s + (len(what) + 2) * CHARACTER_SHARE * width_s
        rows.append(row)
    return rows
