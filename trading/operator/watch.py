"""The health loop as a process: ticks at a fixed rate, resyncs beside them, and a log of what changes."""

import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from common.calls.failures import RpcFailure
from common.calls.network import Network
from common.process.config import ClusterConfig
from trading.operator.change_log import ChangeLog
from trading.operator.event_file import Event
from trading.operator.resync import Resyncer
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


class ResyncThreads:
    """Has the leader catch followers up, at most one thread for each, so that a slow one does not delay the others."""

    def __init__(self, resyncer: Resyncer, count: Callable[[bool], None] = lambda _succeeded: None) -> None:
        """`count` is told, in that thread, whether a resync succeeded."""
        self._resyncer = resyncer
        self._count = count
        self._lock = threading.Lock()
        self._running: dict[int, threading.Thread] = {}  # guarded by _lock

    def start(self, leader_address: str, replica_id: int) -> None:
        """Begin to bring a follower up to date, unless this is under way already. Returns at once."""
        with self._lock:
            if replica_id in self._running:
                return
            thread = threading.Thread(
                target=self._run, args=(leader_address, replica_id), name=f"resync-{replica_id}", daemon=True
            )
            self._running[replica_id] = thread
            thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait for the threads that run now; return whether all have ended."""
        deadline = time.monotonic() + timeout_s
        with self._lock:
            threads = list(self._running.values())
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _run(self, leader_address: str, replica_id: int) -> None:
        succeeded = False
        try:
            result = self._resyncer.resync(leader_address, replica_id)
            succeeded = True
            log.info(
                "replica caught up",
                replica=replica_id,
                copied=result.copied_orders,
                last_number=result.number,
                chain=f"{result.chain:08x}",
                seconds=round(result.seconds, 3),
            )
        except RpcFailure as failure:
            log.warning("resync failed", replica=replica_id, reason=failure.wire_reason, message=failure.message)
        except Exception:
            log.exception("resync failed", replica=replica_id)
        finally:
            self._count(succeeded)
            with self._lock:
                del self._running[replica_id]


class Watch:
    """Ticks until it is told to stop. Run it in one thread; `stop` may be called by another."""

    def __init__(
        self,
        config: ClusterConfig,
        network: Network,
        interval_s: float,
        monotonic: Callable[[], float] = time.monotonic,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
        keep: Callable[[Event], None] = lambda _event: None,
        metrics: WatchMetrics | None = None,
    ) -> None:
        """`keep` gets each event, in the thread that runs the ticks."""
        self._network = network
        self._interval_s = interval_s
        self._monotonic = monotonic
        self._loop = HealthLoop(config, monotonic, interval_s)
        self._changes = ChangeLog(config, monotonic=monotonic, utc_now=utc_now, keep=keep)
        self._metrics = metrics or WatchMetrics(config)
        self._resyncs = ResyncThreads(Resyncer(config, network, monotonic), self._metrics.count_resync)
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
                self._resyncs.start(report.leadership.address, replica_id)
        return report
