"""Checkpoints now and then, by a thread of its own: the order path never waits for one."""

import threading

import structlog

from backends.catalog.catalog import Catalog
from backends.failures import Exhausted

log = structlog.get_logger()

LOOK_INTERVAL_S = 1.0
# After a full disk: there is no hurry, the journal holds everything.
RETRY_INTERVAL_S = 30.0


class Checkpointer:
    """Writes a checkpoint when one is due, while the process runs."""

    def __init__(self, catalog: Catalog, *, look_interval_s: float = LOOK_INTERVAL_S) -> None:
        self._catalog = catalog
        self._look_interval_s = look_interval_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpointer", daemon=True)

    def start(self) -> None:
        """Begin to look for checkpoints that are due."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, after the checkpoint that is being written."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        wait_s = self._look_interval_s
        while not self._stopped.wait(wait_s):
            wait_s = self._look_interval_s
            if not self._catalog.checkpoint_is_due:
                continue
            try:
                self._catalog.write_checkpoint()
            except Exhausted as error:
                log.warning("no checkpoint now", reason=error.message)
                wait_s = RETRY_INTERVAL_S
