"""Hearing of a stop while a server has the process's signal handlers."""

import signal
import socket
import threading
from collections.abc import Callable

_STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}


def call_at_stop(stop: Callable[[], None]) -> None:
    """Have `stop` called, in a thread of its own, whenever the process gets SIGTERM or SIGINT.

    The handlers themselves may be set before or later, by others: the interpreter writes each signal's number here as
    well. Call it once, in the main thread; nothing else in the process may use signal.set_wakeup_fd.
    """
    hears, tells = socket.socketpair()
    tells.setblocking(False)
    signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)

    def wait() -> None:
        # Both ends stay open, and are read, for as long as the process lives.
        while tells.fileno() >= 0:
            if _STOP_SIGNALS.intersection(hears.recv(64)):
                stop()

    threading.Thread(target=wait, name="stop-signal", daemon=True).start()
