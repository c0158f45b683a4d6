import threading

import pytest

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from deploy.systems.waiting import wait_until
from protos import order_pb2
from trading.operator.jobs import ResyncJobs
from trading.operator.resync import ResyncResult
from trading.replicas.election import LeaderAndEpoch

LEADER = LeaderAndEpoch(3, "order:3", 1)


class Resync:
    """A resync that goes on when it is let, and fails if it is told to."""

    def __init__(self):
        self.may_end = threading.Event()
        self.begun = []
        self.failure = None

    def __call__(self, leader, replica_id, show):
        self.begun.append((leader, replica_id))
        show(order_pb2.ResyncProgress(done_number=42, target_number=61))
        assert self.may_end.wait(10)
        if self.failure:
            raise self.failure
        return ResyncResult(replica_id, 61, 1, 20, 0.1, True)


@pytest.fixture
def resync():
    made = Resync()
    yield made
    made.may_end.set()


@pytest.fixture
def jobs(resync):
    return ResyncJobs(resync)


def ended(jobs, replica_id):
    return wait_until(
        lambda: (job := jobs.last(replica_id)) and job["state"] != "running" and job, 5, "the end of the job"
    )


def test_job_goes_on_after_it_was_started_and_shows_how_far_it_is(jobs, resync):
    started = jobs.start(LEADER, 2)
    assert (started["replica"], started["state"], started["error"]) == (2, "running", None)
    wait_until(lambda: jobs.last(2)["done_number"] == 42, 5, "progress")
    resync.may_end.set()
    assert ended(jobs, 2)["state"] == "done"
    assert resync.begun == [(LEADER, 2)]


def test_one_job_a_replica_at_a_time(jobs, resync):
    first = jobs.start(LEADER, 2)
    assert jobs.start(LEADER, 2)["id"] == first["id"]
    assert jobs.start(LEADER, 1)["id"] != first["id"]
    resync.may_end.set()
    ended(jobs, 2)
    assert jobs.start(LEADER, 2)["id"] != first["id"]


@pytest.mark.parametrize(
    ("failure", "told"),
    [(RpcFailure(Reason.FOLLOWER, "replica 2 refuses"), "replica 2 refuses"), (OSError("x"), "its log says why")],
)
def test_failure_ends_the_job_and_is_told(jobs, resync, failure, told):
    resync.failure = failure
    jobs.start(LEADER, 2)
    resync.may_end.set()
    job = ended(jobs, 2)
    assert job["state"] == "failed"
    assert told in job["error"]


def test_replica_without_a_job_has_none(jobs):
    assert jobs.last(2) is None


def test_the_end_of_a_job_is_told_with_its_result(resync):
    ends: list[ResyncResult | None] = []
    jobs = ResyncJobs(resync, ends.append)
    resync.may_end.set()
    jobs.start(LEADER, 2)
    wait_until(lambda: len(ends) == 1, 5, "the end of the job")
    resync.failure = RpcFailure(Reason.FOLLOWER, "replica 2 refuses")
    jobs.start(LEADER, 2)
    wait_until(lambda: len(ends) == 2, 5, "the end of the job")
    assert ends == [ResyncResult(2, 61, 1, 20, 0.1, True), None]


def test_a_thread_that_cannot_be_started_leaves_no_job_behind(jobs, resync, monkeypatch):
    def fail(_thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError):
            jobs.start(LEADER, 2)
    assert jobs.last(2) is None
    resync.may_end.set()
    jobs.start(LEADER, 2)
    assert ended(jobs, 2)["state"] == "done"
