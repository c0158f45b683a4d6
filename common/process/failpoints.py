"""Named steps of the code at which a process can be killed or parked, to see what then holds. Free when none is armed.

BOURSE_FAILPOINTS arms some of them in one process: entries NAME=ACTION or NAME=ACTION@WHEN, with commas between.

    ACTION  kill             SIGKILL to this process
            park:SECONDS     the thread that comes by waits so long
            park-until:FILE  the thread that comes by waits until there is such a file
    WHEN    a number N       the Nth time that the step is reached, and only then; 1 if nothing is said
            a path of FILE   whenever there is such a file; it is removed, which shows that the step was reached

Example: BOURSE_FAILPOINTS=leader-decided=kill@20,log-written=park:10@/tmp/go
"""

import itertools
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from common.process.config_error import ConfigError

VARIABLE = "BOURSE_FAILPOINTS"

# Every name, and where the step is.
STEPS = {
    "leader-deciding": "leader: the batch is formed, the catalog is not asked yet",
    "leader-decided": "leader: the catalog has answered, nothing is appended here",
    "leader-appended": "leader: its own log holds the batch, followers are being sent it",
    "leader-committed": "leader: the batch is committed, nobody is answered yet",
    "catch-up-page": "leader: a follower has taken a page of BulkUpsert",
    "promotion-read": "chosen replica: it holds what was decided, no epoch is begun yet",
    "promotion-begun": "chosen replica: its epoch is begun, it does not lead yet",
    "log-written": "any log: rows are written, not yet synced",
    "log-synced": "any log: rows are synced, not yet shown",
    "replace-written": "any small file: the new content is written aside and synced",
    "replace-renamed": "any small file: renamed, the directory not yet synced",
    "epoch-written": "catalog: a new epoch is written, not yet synced",
    "epoch-begun": "catalog: a new epoch is synced, not yet answered",
    "catalog-answering": "catalog: a batch is synced and applied, not yet answered",
    "frontend-committed": "frontend: the order is committed, the cache and the client do not know",
    "cache-filling": "frontend: the catalog has answered a fill, the cache does not hold it",
}

PARK_POLL_S = 0.01

_Action = Callable[[], None]
_armed: dict[str, list[tuple[Callable[[], bool], _Action]]] = {}


def failpoint(name: str) -> None:
    """Mark a step, a key of STEPS. Does nothing unless something is armed in this process. Any thread."""
    if _armed:
        for is_due, act in _armed.get(name, ()):
            if is_due():
                act()


def arm(environment: Mapping[str, str]) -> None:
    """Arm what BOURSE_FAILPOINTS says, instead of all that was armed before. Call it once, at the start.

    Raises:
        ConfigError: a name, an action or a moment that is none; nothing is armed.
    """
    armed: dict[str, list[tuple[Callable[[], bool], _Action]]] = {}
    for entry in filter(None, environment.get(VARIABLE, "").split(",")):
        name, _, what = entry.partition("=")
        if name not in STEPS:
            raise ConfigError(f"{VARIABLE}: {name!r} is no failpoint; there are: {', '.join(STEPS)}")
        action, _, moment = what.partition("@")
        armed.setdefault(name, []).append((_moment(moment, entry), _action(action, entry)))
    _armed.clear()
    _armed.update(armed)


def _action(text: str, entry: str) -> _Action:
    kind, _, value = text.partition(":")
    if text == "kill":
        return lambda: os.kill(os.getpid(), signal.SIGKILL)
    if kind == "park" and value.replace(".", "", 1).isdigit():
        return lambda: time.sleep(float(value))
    if kind == "park-until" and value:
        return lambda: _wait_for(Path(value))
    raise ConfigError(f"{VARIABLE}: {entry!r}: {text!r} is none of kill, park:SECONDS, park-until:FILE")


def _moment(text: str, entry: str) -> Callable[[], bool]:
    if "/" in text:
        return lambda: _take(text)
    if text and (not text.isdigit() or int(text) < 1):
        raise ConfigError(f"{VARIABLE}: {entry!r}: {text!r} is neither a number of at least 1 nor the path of a file")
    visits, due = itertools.count(1), int(text or 1)  # next() of a count is one step: no two threads get the same
    return lambda: next(visits) == due


def _take(path: str) -> bool:
    """Remove a file; whether this call is the one that did."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def _wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(PARK_POLL_S)
