"""The disk of one process, with faults: the other side of backends/storage/csv/fault_files.py."""

import os
import random
from pathlib import Path


class Disk:
    """Writes the rules that a process's files obey, and reads what it has synced."""

    def __init__(self, control: Path) -> None:
        self.control = control
        self._rules: list[str] = []

    def fail(self, operation: str, names: str, fault: str) -> None:
        """Add a rule, in force at once: "write" or "sync"; names of files with wildcards; EIO, ENOSPC, full:N, hang."""
        self._set([*self._rules, f"{operation} {names} {fault}"])

    def clear(self) -> None:
        """End all faults; what hangs goes on."""
        self._set([])

    def synced_lengths(self) -> dict[Path, int]:
        """Return how many bytes of each file are on stable storage."""
        record = self.control.with_name(self.control.name + ".synced")
        lines = record.read_text().splitlines() if record.exists() else []
        return {Path(path): int(length) for length, _, path in (line.partition(" ") for line in lines)}

    def cut_power(self, chance: random.Random) -> dict[str, int]:
        """Cut each file somewhere between what is synced and what is written; return the bytes lost by name.

        Its process has ended by SIGKILL: the system, which has not failed, still shows all that was written.
        """
        lost: dict[str, int] = {}
        for path, synced in self.synced_lengths().items():
            size = path.stat().st_size if path.exists() else 0
            if size > synced:
                kept = chance.randint(synced, size)
                os.truncate(path, kept)
                lost[path.name] = size - kept
        return lost

    def _set(self, rules: list[str]) -> None:
        self._rules = rules
        aside = self.control.with_name(self.control.name + ".new")
        aside.write_text("".join(f"{rule}\n" for rule in rules))
        aside.replace(self.control)
