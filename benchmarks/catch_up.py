"""Part g: how fast a leader fills an empty replica, alone and while orders go on."""

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.bourse import Bourse
from benchmarks.grown import grow
from benchmarks.load_client import run_load
from benchmarks.plan import Plan
from benchmarks.processes import BenchmarkError
from benchmarks.results import Results, interleave
from benchmarks.traffic import TEN, order_requests
from deploy.systems.waiting import POLL_S
from protos import order_pb2

PART = "g  catch-up: an empty replica is filled by the leader (BulkUpsert), until it is in sync"
CLIENTS = 8
CREATED = 201
BACK_WITHIN_S = 60.0
LEAST_LOAD_S = 1.0
# The health loop looks every 10 s, and may be the first to fill the replica.
TRIES = 3


def measure(plan: Plan, results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Empty a follower again and again."""
    [grown] = grow(folder, [plan.catch_up_orders]).values()
    acknowledged: list[bytes] = []
    with Bourse(grown) as bourse:
        runs = {
            "alone": partial(_fill, bourse, results, acknowledged, clients=0),
            f"while {CLIENTS} clients place orders": partial(_fill, bourse, results, acknowledged, clients=CLIENTS),
        }
        gave = interleave(runs, plan.rounds)
        results.failures += [f"catch-up: {fault}" for fault in bourse.faults(acknowledged)]
    for what, rates in gave.items():
        row = results.add(PART, f"{plan.catch_up_orders:,} orders, {what}", "rows/s", rates)
        say(f"catch-up, {what}: {row.median:,.0f} rows/s")


def _fill(bourse: Bourse, results: Results, acknowledged: list[bytes], clients: int) -> float:
    """Empty a follower and have it filled; return rows a second, until the leader says that it is in sync.

    Meanwhile clients place orders; those that are acknowledged are added to the list.
    """
    for _ in range(TRIES):
        if rate := _try_to_fill(bourse, results, acknowledged, clients):
            return rate
    raise BenchmarkError(f"{TRIES} times the replica was not filled, or by the health loop")


def _try_to_fill(bourse: Bourse, results: Results, acknowledged: list[bytes], clients: int) -> float:
    """Return the rows a second of one try; 0.0 if the health loop was faster."""
    leader = bourse.leader()
    assert leader is not None
    follower = min(number for number in bourse.replicas if number != leader)
    bourse.restart_empty(follower, BACK_WITHIN_S)
    rates: list[float] = []
    thread = threading.Thread(target=lambda: rates.append(_rate_of_catch_up(bourse, leader, follower)))
    thread.start()
    while clients and thread.is_alive():
        load = run_load(
            bourse.address,
            order_requests(TEN),
            clients=clients,
            seconds=LEAST_LOAD_S,
            expected=(CREATED,),
            keep=CREATED,
        )
        acknowledged += load.kept
        if load.errors:
            results.failures.append(f"catch-up: answers that are no orders, by status: {dict(load.errors)}")
    thread.join()
    bourse.wait_in_sync()
    return rates[0]


def _rate_of_catch_up(bourse: Bourse, leader: int, follower: int) -> float:
    """Return the rows a second of one catch-up; 0.0 if it did not succeed within a minute, or others had done it."""
    give_up = time.perf_counter() + BACK_WITHIN_S
    # The leader's own connection to the replica that came back may take a second to be made again.
    while (began := time.perf_counter()) < give_up:
        progress = bourse.catch_up(leader, follower)
        if progress and progress[-1].state == order_pb2.IN_SYNC:
            return (progress[-1].done_number - progress[0].from_number) / (time.perf_counter() - began)
        time.sleep(POLL_S)
    return 0.0
