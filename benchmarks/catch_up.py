"""Part g: how fast a leader fills an empty replica, alone and while orders go on."""

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.bourse import Bourse
from benchmarks.grown import grow
from benchmarks.load_client import LoadResult, run_load
from benchmarks.plan import Plan
from benchmarks.processes import POLL_S, BenchmarkError
from benchmarks.results import Results, interleave
from benchmarks.traffic import TEN, order_requests
from protos import order_pb2

PART = "g  catch-up: an empty replica is filled by the leader (BulkUpsert), until it is in sync"
CLIENTS = 8
CREATED = 201
BACK_WITHIN_S = 60.0
LEAST_LOAD_S = 1.0


def measure(plan: Plan, results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Empty a follower again and again."""
    [grown] = grow(folder, [plan.catch_up_orders]).values()
    with Bourse(grown) as bourse:
        runs = {
            "alone": partial(_fill, bourse, results, clients=0),
            f"while {CLIENTS} clients place orders": partial(_fill, bourse, results, clients=CLIENTS),
        }
        for what, rates in interleave(runs, plan.rounds).items():
            row = results.add(PART, f"{plan.catch_up_orders:,} orders, {what}", "rows/s", rates)
            say(f"catch-up, {what}: {row.median:,.0f} rows/s")


def _fill(bourse: Bourse, results: Results, clients: int) -> float:
    """Empty a follower and have it filled; return rows a second, until the leader says that it is in sync."""
    leader = bourse.leader_id()
    follower = min(number for number in bourse.replicas if number != leader)
    bourse.restart_empty(follower, BACK_WITHIN_S)
    filled: list[float] = []

    def catch_up() -> None:
        give_up = time.perf_counter() + BACK_WITHIN_S
        # The leader's own connection to the replica that came back may take a second to be made again.
        while not filled and (began := time.perf_counter()) < give_up:
            progress = bourse.catch_up(leader, follower)
            if progress and progress[-1].state == order_pb2.IN_SYNC:
                filled.append((progress[-1].done_number - progress[0].from_number) / (time.perf_counter() - began))
            else:
                time.sleep(POLL_S)

    thread = threading.Thread(target=catch_up)
    thread.start()
    loads: list[LoadResult] = []
    while clients and thread.is_alive():
        make = order_requests(TEN)
        loads.append(
            run_load(bourse.address, make, clients=clients, seconds=LEAST_LOAD_S, expected=(CREATED,), keep=CREATED)
        )
    thread.join()
    if not filled or filled[0] == 0:
        raise BenchmarkError(f"replica {follower} was not filled, or by the health loop")
    bourse.wait_in_sync()
    for load in loads:
        if load.errors:
            results.failures.append(f"catch-up: answers that are no orders, by status: {dict(load.errors)}")
    results.failures += [
        f"catch-up: {fault}" for fault in bourse.faults([body for load in loads for body in load.kept])
    ]
    return filled[0]
