"""The health loop as a process: ticks at a fixed rate, resyncs beside them, and a log of what changes."""

import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from common.calls.network import Network
from common.process.config import ClusterConfig
from trading.operator.change_log import ChangeLog
from trading.operator.event_file import ClusterEvent
from trading.operator.jobs import ResyncJobs
from trading.operator.resync import Resyncer, ResyncResult
from trading.operator.watch_metrics import WatchMetrics
from trading.replicas.health import HealthLoop, TickReport

log = structlog.get_logger()

# At its start the system's other processes are starting too: until somebody leads it is looked again sooner, so long.
START_S = 10.0
START_INTERVAL_S = 1.0


def next_tick(due: float, now: float, interval_s: float) -> float:
    """Return when the tick after the one that was due at `due` is due: on the fixed raster, late ones skipped."""
    missed = max(0, int((now - due) / interval_s))
    return due + (missed + 1) * interval_s


class Watch:
    """Ticks until it is told to stop. Run it in one thread; `stop` may be called by another."""

    def __init__(
        self,
        config: ClusterConfig,
        network: Network,
        interval_s: float,
        monotonic: Callable[[], float] = time.monotonic,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
        keep: Callable[[ClusterEvent], None] = lambda _event: None,
        metrics: WatchMetrics | None = None,
    ) -> None:
        """`keep` gets each event, in the thread that runs the ticks."""
        self._network = network
        self._interval_s = interval_s
        self._monotonic = monotonic
        self._loop = HealthLoop(config, monotonic, interval_s)
        self._changes = ChangeLog(config, monotonic=monotonic, utc_now=utc_now, keep=keep)
        self._metrics = metrics or WatchMetrics(config)
        self._resyncs = ResyncJobs(Resyncer(config, network, monotonic).resync, self._note_resync, utc_now)
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End after the tick under way."""
        self._stopping.set()

    def run(self) -> None:
        """Tick at once, every START_INTERVAL_S for START_S until somebody leads, then every interval.

        An error in a tick is logged and does not end the loop.
        """
        due = started = self._monotonic()
        is_led = False
        who = f"the health loop of pid {os.getpid()} on {socket.gethostname()}"
        self._changes.note_watch("watch-start", f"{who} begins, every {self._interval_s:g} s")
        while not self._stopping.is_set():
            try:
                is_led = self.tick().leadership is not None or is_led
            except Exception:
                log.exception("tick failed")
            now = self._monotonic()
            is_starting = not is_led and now - started < START_S
            due = next_tick(due, now, min(START_INTERVAL_S, self._interval_s) if is_starting else self._interval_s)
            self._stopping.wait(max(0.0, due - self._monotonic()))
        self._changes.note_watch("watch-end", f"{who} ends")

    def tick(self) -> TickReport:
        """Make one tick, log it, and begin the resyncs it asks for."""
        began = self._monotonic()
        report = self._network.run(self._loop.tick())
        self._metrics.note_tick(report, self._monotonic() - began)
        self._changes.note(report)
        if report.leadership is not None:
            for replica_id in report.resync:
                self._resyncs.start(report.leadership, replica_id)
        return report

    def _note_resync(self, result: ResyncResult | None) -> None:
        """Count a resync that has ended, in its thread, and log what it did."""
        self._metrics.count_resync(result is not None)
        if result is not None:
            log.info(
                "replica caught up",
                replica=result.replica_id,
                copied=result.copied_orders,
                last_number=result.number,
                chain=f"{result.chain:08x}",
                seconds=round(result.seconds, 3),
            )
