"""Whether a system that was just started is ready to trade."""

import http.client
import threading
import time
import xmlrpc.client
from pathlib import Path
from typing import Any

from deploy.settings import RunSettings
from deploy.supervision import connect

POLL_S = 0.1
REQUEST_TIMEOUT_S = 2.0


class Refused(Exception):
    """A process refused to start; it has said why in its own line.

    Attributes:
        process: its name.
    """

    def __init__(self, process: str) -> None:
        super().__init__(f"{process} did not start")
        self.process = process


def wait_until_ready(settings: RunSettings, stopping: threading.Event, within_s: float) -> bool:
    """Wait until an order could be placed, while no process has refused to start.

    Returns False if `stopping` was set, or the time is up.

    Raises:
        Refused: a process ended by itself.
    """
    deadline = time.monotonic() + within_s
    stopped: set[str] = set()
    while time.monotonic() < deadline and not stopping.wait(POLL_S):
        states = process_states(settings.config_path)
        stopped.update(state["name"] for state in states if state["statename"] in ("STOPPING", "STOPPED"))
        for state in states:
            if has_ended(state) and state["name"] not in stopped:
                raise Refused(state["name"])
        if states and is_open(settings.http, settings.http_host):
            return True
    return False


def has_ended(state: dict[str, Any]) -> bool:
    """Return whether a process, as the supervisor knows it, has ended before, though it may run anew.

    How soon it ended does not matter. On a slow machine a process takes longer to refuse than `startsecs`; the
    supervisor then takes it for one that had started, and starts it again for ever.
    """
    return state["statename"] in ("BACKOFF", "FATAL") or state["stop"] > 0


def process_states(config_path: Path) -> list[dict[str, Any]]:
    """Return what the supervisor knows of each process; nothing while it does not answer yet."""
    try:
        return list(connect(config_path).getAllProcessInfo())
    except (OSError, http.client.HTTPException, xmlrpc.client.Error):
        return []


def is_open(address: str, host: str) -> bool:
    """Return whether the frontend at this address, called `host`, says that orders could be placed."""
    connection = http.client.HTTPConnection(address, timeout=REQUEST_TIMEOUT_S)
    try:
        connection.request("GET", "/readyz", headers={"Accept": "application/json", "Host": host})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
