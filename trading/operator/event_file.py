"""What the health loop saw happen, kept for operators: a bounded file of lines of JSON.

It tells what one loop saw at its ticks: what began and ended between two of them is not in it. Lines are written, not
synced: a power cut may take the last ones. Elections are kept by the catalog, durably (`catalog_epochs.csv`).
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

log = structlog.get_logger()

NAME = "events.jsonl"
OLDER_NAME = "events.older.jsonl"
# When the file is as long as this it becomes the older one, and the older one before it is gone.
MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class ClusterEvent:
    """One thing that happened.

    Attributes:
        time: UTC, RFC 3339 with microseconds.
        kind: election, no-leader, failure, lagging, catching-up, return, catalog-failure, catalog-return,
            watch-start, watch-end; or, from the catalog, rebuild.
        text: what happened, in words.
        replica_id: the one it happened to; None if it is not of one replica.
        epoch: of an election.
    """

    time: str
    kind: str
    text: str
    replica_id: int | None = None
    epoch: int | None = None


class EventFile:
    """Appends to the file. Not thread-safe: the health loop's thread alone uses it."""

    def __init__(self, directory: Path, max_bytes: int = MAX_BYTES) -> None:
        """The directory exists."""
        self._directory = directory
        self._max_bytes = max_bytes

    def append(self, event: ClusterEvent) -> None:
        """Keep an event. If it cannot be written that is logged: the health loop goes on without it."""
        line = json.dumps(asdict(event)) + "\n"
        path = self._directory / NAME
        try:
            if path.exists() and path.stat().st_size + len(line) > self._max_bytes:
                os.replace(path, self._directory / OLDER_NAME)
            with path.open("ab+") as file:
                file.seek(max(0, file.tell() - 1))
                if file.read(1) not in (b"", b"\n"):  # a line that was cut off must not take this one with it
                    file.write(b"\n")
                file.write(line.encode())
        except OSError as error:
            log.warning("event not kept", path=str(path), error=error.strerror, event_text=event.text)


def read_events(directory: Path) -> Sequence[ClusterEvent]:
    """Return the events that are kept, oldest first; none if no health loop ever used the directory.

    A line that is not one, such as one torn by a power cut, is left out, with a warning.

    Raises:
        OSError: a file is there and cannot be read.
    """
    events = []
    for name in (OLDER_NAME, NAME):
        path = directory / name
        if not path.exists():
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            try:
                events.append(ClusterEvent(**json.loads(line)))
            except (ValueError, TypeError):
                log.warning("not an event", path=str(path), line=number)
    return events
