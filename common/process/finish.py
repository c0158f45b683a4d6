"""How each program ends: with an exit code, and at most one line for the person who started it."""

import io
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

EXIT_FAILED = 1
EXIT_INTERRUPTED = 128 + signal.SIGINT  # as a shell says it


class OutputFailed(OSError):
    """What the program prints cannot be written: a full disk, a closed pipe."""


def run_program(name: str, main: Callable[[], None], *refusals: type[Exception]) -> None:
    """Run a program's main function, and leave with one line if it cannot do its work.

    The line is the text of a `refusals` that it raises, or says that what it prints cannot be written; the exit code is
    then 1. After Ctrl-C there is no line, and the code is 130. Any other error is raised, and so is the SystemExit with
    which `main` leaves.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # as start_clean has left it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.stdout is not None and sys.stdout is sys.__stdout__:
        sys.stdout = _output_like(sys.stdout)
    try:
        try:
            main()
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except refusals as refusal:
        _leave(EXIT_FAILED, f"{name}: {refusal}")
    except KeyboardInterrupt:
        _leave(EXIT_INTERRUPTED)
    except OutputFailed as error:
        # Else the interpreter tries once more at its end, and says so.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _leave(EXIT_FAILED, f"{name}: the output cannot be written: {error.strerror}")


def tell(line: str) -> None:
    """Write a line to stderr for a person. If that cannot be written, there is nobody to be told."""
    with suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)  # noqa: T201


def _leave(code: int, line: str = "") -> NoReturn:
    if line:
        tell(line)
    sys.exit(code)


class _Output(io.FileIO):
    """stdout, whose errors are told from those of other files."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OutputFailed(error.errno, error.strerror) from error


def _output_like(stream: Any) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(_Output(stream.fileno(), "w", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
