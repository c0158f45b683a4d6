"""Progress on stderr, while a result is made for stdout."""

from types import TracebackType
from typing import TextIO

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
from rich.text import Text


class _SpeedColumn(ProgressColumn):
    """Orders a second."""

    def render(self, task: Task) -> Text:
        # rich's own speed needs several messages; a short catch-up has one or two.
        return Text(f"{task.completed / task.elapsed if task.elapsed else 0:.0f} orders/s")


class ProgressDisplay:
    """A bar on a terminal, elsewhere a line for each 10 %. Use as a context manager; call it with what is done."""

    def __init__(self, label: str, err: TextIO) -> None:
        self._label = label
        self._err = err
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._tenths = -1

    def __enter__(self) -> "ProgressDisplay":
        if self._err.isatty():
            self._bar = Progress(
                TextColumn(self._label, markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                _SpeedColumn(),
                TimeElapsedColumn(),
                console=Console(file=self._err),  # honours NO_COLOR
            )
            self._task = self._bar.add_task("", total=None)
            self._bar.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` orders are done; the total may grow on the way."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total)
            return
        tenths = 10 * done // total if total else 10
        if tenths > self._tenths:
            self._tenths = tenths
            self._err.write(f"{self._label}: {10 * tenths}% {done}/{total}\n")
            self._err.flush()
