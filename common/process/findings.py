"""`findings.txt`: what a process found wrong with its files, a line each, until an operator has seen it.

Who has seen it removes the file: the process, which shows what it found in its health, then shows nothing any more.
It is for people: whatever stands in it, nothing is refused for it.
"""

import threading
from pathlib import Path
from typing import Protocol

import structlog

log = structlog.get_logger()

# What a log's reader says of damage that it found while it ran.
NO_LONGER_GOOD = "bytes that were good are no longer"
FINDINGS_NAME = "findings.txt"
MOST_FINDINGS = 20
LOOK_INTERVAL_S = 1.0
_MOST_CHARACTERS = 500


class FindingsFile(Protocol):
    """How the file is read and written. All but `exists` raise OSError."""

    def exists(self, path: Path) -> bool:
        """Return whether it is there."""

    def read(self, path: Path) -> bytes:
        """Return its content."""

    def replace(self, path: Path, data: bytes) -> None:
        """Make `data` its content, durably."""


class Findings:
    """The findings in one data directory. Any thread may use it; `all` alone never waits for the disk."""

    def __init__(self, directory: Path, file: FindingsFile) -> None:
        """Read what earlier runs found, if nobody has seen it yet."""
        self._path = directory / FINDINGS_NAME
        self._file = file
        self._writing = threading.Lock()
        # Both are guarded by _writing, but `all` reads the first, which is replaced as a whole.
        self._texts = self._read()
        self._is_kept = bool(self._texts)  # whether they stand in the file, so that its removal means something
        self._stopped = threading.Event()

    def note(self, text: str) -> None:
        """Add a finding, and keep it for the next run; if it cannot be written, this run alone shows it."""
        self.look()
        with self._writing:
            if (finding := _one_line(text)) in self._texts:
                return
            texts = (*self._texts, finding)[-MOST_FINDINGS:]
            try:
                self._file.replace(self._path, "".join(f"{each}\n" for each in texts).encode())
                self._is_kept = True
            except OSError as error:
                log.error("finding not kept for the next start", path=str(self._path), error=str(error))
            self._texts = texts

    def all(self) -> tuple[str, ...]:
        """Return the findings that nobody had seen at the last look, the newest MOST_FINDINGS, oldest first."""
        return self._texts

    def look(self) -> None:
        """Forget them if the file is gone. May wait for the disk."""
        with self._writing:
            if self._is_kept and not self._file.exists(self._path):
                self._texts, self._is_kept = (), False

    def follow(self) -> None:
        """Look every LOOK_INTERVAL_S, in a thread of its own, until `stop`."""
        threading.Thread(target=self._follow, name="findings", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def _follow(self) -> None:
        while not self._stopped.wait(LOOK_INTERVAL_S):
            self.look()

    def _read(self) -> tuple[str, ...]:
        try:
            text = self._file.read(self._path).decode("utf-8", "backslashreplace")
        except FileNotFoundError:
            return ()
        except OSError as error:
            return (f"{FINDINGS_NAME} cannot be read: {error.strerror}",)
        lines = [_one_line(line) for line in text.splitlines() if line.strip(" \0")]
        return tuple(lines[-MOST_FINDINGS:]) or (f"{FINDINGS_NAME} is damaged: what stood in it is lost",)


def _one_line(text: str) -> str:
    shown = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    return shown[:_MOST_CHARACTERS]
