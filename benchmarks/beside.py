"""A second load client in a process of its own, so that neither waits for the other's interpreter."""

from collections.abc import Callable
from multiprocessing import get_context
from types import TracebackType
from typing import Any, Self

from benchmarks.processes import BenchmarkError

END_WITHIN_S = 10.0


class Beside:
    """Runs `function(pipe, *arguments)` in a process. Use it as a context manager: afterwards it is gone.

    `function` is a module's own (it is imported there), and ends at the end of file of its pipe.
    """

    def __init__(self, function: Callable[..., None], *arguments: object) -> None:
        # Not forked: gRPC's threads here would not be there.
        context = get_context("spawn")
        self._pipe, self._theirs = context.Pipe()
        self._process = context.Process(target=function, args=(self._theirs, *arguments), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self._theirs.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.close()
        self._process.join(END_WITHIN_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.is_alive()

    def send(self, message: object) -> None:
        """Send it something."""
        self._pipe.send(message)

    def receive(self, within_s: float) -> Any:
        """Return what it sends next; an exception that it sends is raised.

        Raises:
            BenchmarkError: it sent nothing in time, or has ended.
        """
        try:
            message = self._pipe.recv() if self._pipe.poll(within_s) else None
        except EOFError as error:
            raise BenchmarkError(f"the load client beside has ended: {self._process.exitcode}") from error
        if message is None:
            raise BenchmarkError(f"the load client beside has said nothing for {within_s:g} s")
        if isinstance(message, Exception):
            raise message
        return message
