"""Hearing of a stop signal, whatever the main thread does at that moment.

A Python signal handler runs in the main thread, at its next bytecode. A signal that comes when that thread is just
about to wait for a lock, or that the kernel gives to another thread, is handled only when the wait is over: perhaps
never. What the interpreter writes to its wakeup descriptor it writes at once:
https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd
"""

import queue
import signal
import socket
import threading
from collections.abc import Callable, Collection

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def wait_for_stop() -> str:
    """Wait for SIGTERM or SIGINT and return the signal's name. In the main thread, once."""
    received: queue.SimpleQueue[signal.Signals] = queue.SimpleQueue()
    call_at_stop(received.put)
    return received.get().name


def call_at_stop(stop: Callable[[signal.Signals], object], signals: Collection[signal.Signals] = STOP_SIGNALS) -> None:
    """Have `stop` called, in a thread of its own, whenever the process gets one of the signals; nothing else happens.

    Call it once, in the main thread. Others may set handlers later; nothing else may use signal.set_wakeup_fd.
    """
    hears, tells = socket.socketpair()
    tells.setblocking(False)
    signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)

    def wait() -> None:
        # Both ends stay open, and are read, for as long as the process lives.
        while tells.fileno() >= 0:
            for number in set(hears.recv(64)).intersection(signals):
                stop(signal.Signals(number))

    threading.Thread(target=wait, name="stop-signal", daemon=True).start()
    for number in signals:
        signal.signal(number, lambda *_: None)
