"""What a process of `make run` said last when it refused to start: the line with its repair."""

import re

# As `run_program` writes it: NAME, without the time that begins each line of a log or of the supervisor.
_REFUSAL = re.compile(rb"^([a-z][a-z0-9.-]*): .+$", re.MULTILINE)
# Programs that do not speak by the name of their process.
_SPEAKERS = {"health": "manage.py"}


class LastWords:
    """Hears the output of all processes, and keeps the last such line of each."""

    def __init__(self) -> None:
        self._unended = b""
        self._lines: dict[str, str] = {}

    def hear(self, output: bytes) -> None:
        """Take more output; it may end in the middle of a line."""
        whole, separator, self._unended = (self._unended + output).rpartition(b"\n")
        for found in _REFUSAL.finditer(whole + separator):
            self._lines[found[1].decode()] = found[0].decode(errors="replace")

    def of(self, process: str) -> str:
        """Return the line of a process, `order-3` for one; without one, where to look."""
        speaker = _SPEAKERS.get(process, process)
        return self._lines.get(speaker, f"{process}: see its lines above")
