"""Resyncs that go on by themselves, a thread for each replica: for the health loop, and for who asks by REST."""

import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog

from common.calls.failures import RpcFailure
from common.rows import time_text
from protos import order_pb2
from trading.operator.resync import Resyncer, ResyncResult, Show
from trading.process import OncePerProcess, cluster_config, network
from trading.replicas.election import LeaderAndEpoch

log = structlog.get_logger()

RUNNING = "running"
DONE = "done"
FAILED = "failed"

# Has a leader bring a replica into sync; Resyncer.resync is one.
Resync = Callable[[LeaderAndEpoch, int, Show], ResyncResult]


class _Job:
    """One resync; written by its thread alone, each field replaced as a whole."""

    def __init__(self, replica_id: int, started_at: datetime) -> None:
        self.id = uuid.uuid4().hex[:16]
        self.replica_id = replica_id
        self.started_at = started_at
        self.state = RUNNING
        self.progress = order_pb2.ResyncProgress()
        self.error: str | None = None

    def show(self, progress: order_pb2.ResyncProgress) -> None:
        self.progress = progress

    def data(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "replica": self.replica_id,
            "state": self.state,
            "done_number": self.progress.done_number,
            "target_number": self.progress.target_number,
            "started_at": time_text(self.started_at),
            "error": self.error,
        }


class ResyncJobs:
    """Starts resyncs, at most one at a time of each replica, so that a slow one does not delay the others; remembers
    the last one of each. Any number of threads may use it."""

    def __init__(
        self,
        resync: Resync,
        on_end: Callable[[ResyncResult | None], None] = lambda _result: None,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`on_end` is told, in that thread, what a resync ended with; None: it failed, which is logged."""
        self._resync = resync
        self._on_end = on_end
        self._utc_now = utc_now
        self._lock = threading.Lock()
        self._jobs: dict[int, _Job] = {}  # the last of each replica; guarded by _lock

    def start(self, leader: LeaderAndEpoch, replica_id: int) -> dict[str, Any]:
        """Begin to bring a replica into sync, unless that is under way; return the job's JSON at once."""
        with self._lock:
            job = self._jobs.get(replica_id)
            if job is None or job.state != RUNNING:
                job = _Job(replica_id, self._utc_now())
                name = f"resync-{replica_id}"
                # If this fails there is no job: the next one tries again.
                threading.Thread(target=self._run, args=(job, leader), name=name, daemon=True).start()
                self._jobs[replica_id] = job
            return job.data()

    def last(self, replica_id: int) -> dict[str, Any] | None:
        """Return the JSON of the last job of a replica that this process was asked for, None if there was none."""
        with self._lock:
            job = self._jobs.get(replica_id)
        return None if job is None else job.data()

    def _run(self, job: _Job, leader: LeaderAndEpoch) -> None:
        result: ResyncResult | None = None
        try:
            result = self._resync(leader, job.replica_id, job.show)
        except RpcFailure as failure:
            job.error = failure.message
            log.warning("resync failed", replica=job.replica_id, reason=failure.wire_reason, message=failure.message)
        except Exception:
            job.error = "the frontend failed; its log says why"
            log.exception("resync failed", replica=job.replica_id)
        finally:
            job.state = FAILED if result is None else DONE
            self._on_end(result)


resync_jobs = OncePerProcess(lambda: ResyncJobs(Resyncer(cluster_config(), network()).resync))
