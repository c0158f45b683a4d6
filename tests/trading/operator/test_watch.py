import threading
import time

import pytest

from common.calls.reasons import Reason
from deploy.systems.waiting import wait_until
from protos import order_pb2
from tests.trading.fake_cluster import CATALOG, CONFIG, FakeCluster
from tests.trading.fake_network import refusal
from trading.operator.watch import Watch, next_tick


def all_ended(watch):
    def running():
        jobs = [watch._resyncs.last(replica_id) for replica_id in CONFIG.replicas]
        return [job for job in jobs if job and job["state"] == "running"]

    wait_until(lambda: not running(), 10, "the end of all resyncs")


@pytest.mark.parametrize(
    ("due", "now", "expected"),
    [(100.0, 100.2, 110.0), (100.0, 109.9, 110.0), (100.0, 110.0, 120.0), (100.0, 135.0, 140.0), (100.0, 99.0, 110.0)],
)
def test_ticks_stay_on_their_raster_and_late_ones_are_skipped(due, now, expected):
    assert next_tick(due, now, 10.0) == expected


def test_the_loop_elects_resyncs_and_ends_when_told():
    cluster = FakeCluster()
    cluster.replicas[3].lead(epoch=1)
    cluster.replicas[3].followers = {1: order_pb2.FAULTY, 2: order_pb2.IN_SYNC}
    cluster.replicas[3].last_number = 40
    cluster.replicas[2].last_number = 40
    watch = Watch(CONFIG, cluster.network, 0.02)
    thread = threading.Thread(target=watch.run)
    thread.start()
    give_up = time.monotonic() + 10
    while cluster.replicas[1].last_number != 40 and time.monotonic() < give_up:
        threading.Event().wait(0.005)
    watch.stop()
    thread.join(10)
    assert not thread.is_alive()
    all_ended(watch)
    assert cluster.replicas[1].last_number == 40


def test_at_its_start_the_loop_looks_again_soon_until_somebody_leads(monkeypatch):
    cluster = FakeCluster()
    cluster.network.dead.add(CATALOG)
    watch = Watch(CONFIG, cluster.network, 3600.0)
    monkeypatch.setattr("trading.operator.watch.START_INTERVAL_S", 0.02)
    ticks: list[bool] = []
    tick = watch.tick

    def tick_and_count():
        if len(ticks) == 3:
            cluster.network.dead.clear()
        report = tick()
        ticks.append(report.leadership is not None)
        return report

    monkeypatch.setattr(watch, "tick", tick_and_count)
    thread = threading.Thread(target=watch.run)
    thread.start()
    give_up = time.monotonic() + 10
    while not any(ticks) and time.monotonic() < give_up:
        threading.Event().wait(0.005)
    watch.stop()
    thread.join(10)
    assert ticks == [False, False, False, True]


def test_one_resync_of_a_follower_runs_at_a_time():
    cluster = FakeCluster()
    cluster.replicas[3].lead(epoch=1)
    cluster.replicas[3].followers = {1: order_pb2.FAULTY, 2: order_pb2.FAULTY}
    started, going_on = threading.Event(), threading.Event()

    def hold(_address, request):
        if isinstance(request, order_pb2.ResyncRequest):
            started.set()
            assert going_on.wait(10)

    cluster.network.before = hold
    watch = Watch(CONFIG, cluster.network, 10.0)
    assert watch.tick().resync == (2, 1)
    assert started.wait(10)
    watch.tick()
    going_on.set()
    all_ended(watch)
    asked = [request.replica_id for _, request in cluster.network.sent(order_pb2.ResyncRequest)]
    assert sorted(asked) == [1, 2]


def test_an_error_in_a_tick_does_not_end_the_loop():
    cluster = FakeCluster()
    watch = Watch(CONFIG, cluster.network, 0.02)
    failures: list[Exception] = []

    def fail_once(_address, _request):
        if not failures:
            failures.append(refusal(Reason.UNKNOWN))
            raise ZeroDivisionError

    cluster.network.before = fail_once
    thread = threading.Thread(target=watch.run)
    thread.start()
    give_up = time.monotonic() + 10
    while not cluster.assigned() and time.monotonic() < give_up:
        threading.Event().wait(0.005)
    watch.stop()
    thread.join(10)
    assert cluster.assigned()[:1] == [3]
