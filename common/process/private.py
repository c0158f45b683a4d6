"""What a process keeps is for the user alone that it runs as: orders, accounts, and the key that signs sessions."""

import os
import stat
from contextlib import suppress
from pathlib import Path

import structlog

log = structlog.get_logger()

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def keep_private(*paths: Path) -> None:
    """Shut other users out of files and folders of ours that are there already, from before or from a copy.

    What is made from now on is private by the umask (common/process/start.py). Each that had to be changed is logged,
    and so is one that is not ours to change: another user's, a folder that all share, such as /tmp, or one on a file
    system that is read-only or knows no modes.
    """
    for path in paths:
        try:
            found = path.stat()
        except OSError:  # not there, or not to be seen: whoever opens it says so
            continue
        if not found.st_mode & _OTHERS:
            continue
        facts = {"path": str(path), "mode": f"{stat.S_IMODE(found.st_mode):04o}"}
        if _shut(path, found):
            log.warning("other users could open this; now they cannot", **facts)
        else:
            log.warning("other users can open this, and it is not ours to change", **facts)


def _shut(path: Path, found: os.stat_result) -> bool:
    """Shut others out if it is ours to do, and return whether they are: some file systems only say that they did it."""
    if found.st_uid != os.geteuid() or found.st_mode & stat.S_ISVTX:
        return False
    with suppress(OSError):
        path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)
        return not path.stat().st_mode & _OTHERS
    return False
