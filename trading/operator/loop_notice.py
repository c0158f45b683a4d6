"""Says in a frontend's log that no health loop runs: nothing else would, until a replica that has died stays behind."""

import threading
from collections.abc import Callable

import structlog

from trading.operator.look import cluster_look
from trading.operator.printing import NO_LOOP
from trading.operator.status import is_unwatched, is_watched
from trading.process import OncePerProcess
from trading.replicas.view import ClusterView

log = structlog.get_logger()

# Beside the minute after which the replicas say so. They say it at different moments, and from their own start on.
LOOK_S = 10.0


class LoopNotice:
    """Looks every LOOK_S, in a thread of its own, and logs when a health loop is missed, or is back."""

    def __init__(self, look: Callable[[], ClusterView], interval_s: float = LOOK_S) -> None:
        self._look = look
        self._interval_s = interval_s
        self._is_told = False
        self._stopping = threading.Event()

    def start(self) -> None:
        """Begin, the first time after one interval."""
        threading.Thread(target=self._run, name="loop-notice", daemon=True).start()

    def stop(self) -> None:
        """End soon."""
        self._stopping.set()

    def tick(self) -> None:
        """Look once."""
        view = self._look()
        if not self._is_told and is_unwatched(view):
            self._is_told = True
            log.warning(NO_LOOP)
        elif self._is_told and is_watched(view):
            self._is_told = False
            log.info("a health loop runs again")

    def _run(self) -> None:
        while not self._stopping.wait(self._interval_s):
            try:
                self.tick()
            except Exception:
                log.exception("the look for a health loop failed")


loop_notice = OncePerProcess(lambda: LoopNotice(lambda: cluster_look().look()))
