"""Whether a system that was just started is ready to trade."""

import http.client
import threading
import time
import xmlrpc.client
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from deploy.settings import RunSettings

POLL_S = 0.1
REQUEST_TIMEOUT_S = 2.0


class Refused(Exception):
    """A process refused to start; it has said why in its own line."""


def wait_until_ready(settings: RunSettings, socket_path: Path, stopping: threading.Event, within_s: float) -> bool:
    """Wait until the frontend answers from the catalog and no process has refused to start.

    Returns False if `stopping` was set, or the time is up.

    Raises:
        Refused: a process ended during its start.
    """
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline and not stopping.wait(POLL_S):
        states = process_states(settings, socket_path)
        for state in states:
            if state["statename"] in ("BACKOFF", "FATAL"):
                raise Refused(f"{state['name']} did not start, see its message above; everything is stopped")
        if states and frontend_answers(settings.http):
            return True
    return False


def process_states(settings: RunSettings, socket_path: Path) -> list[dict[str, Any]]:
    """Return what the supervisor knows of each process; nothing while it does not answer yet."""
    password = next(
        line.partition("=")[2] for line in settings.config_path.read_text().splitlines() if line.startswith("password=")
    )
    transport = SupervisorTransport("bourse", password, f"unix://{socket_path}")
    try:
        states: Any = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor.getAllProcessInfo()
    except (OSError, http.client.HTTPException, xmlrpc.client.Error):
        return []
    return list(states)


def frontend_answers(address: str) -> bool:
    """Return whether the list of stocks can be read."""
    connection = http.client.HTTPConnection(address, timeout=REQUEST_TIMEOUT_S)
    try:
        connection.request("GET", "/stocks?limit=1", headers={"Accept": "application/json"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
