"""Part e: from SIGKILL, or SIGSTOP, of the leader to the answer of the next order that is acknowledged."""

import http.client
import json
import os
import signal
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

from benchmarks.bourse import Bourse
from benchmarks.load_client import NO_ANSWER
from benchmarks.plan import Plan
from benchmarks.processes import BenchmarkError
from benchmarks.results import Results
from benchmarks.traffic import HOT
from protos import catalog_pb2

PART = "e  failover: from the signal to the leader until the next order is acknowledged"
REQUEST_TIMEOUT_S = 12.0
BACK_WITHIN_S = 60.0
CREATED = 201
# Answers after which a client sends the order again under its key.
RETRIED = {503, 504, NO_ANSWER}
CALL_TIMEOUT_S = 2.0
# A frontend elects at most once in 2 s; failures that come faster would measure that.
LEAST_PAUSE_S = 2.5
MOST_ATTEMPTS = 3
_keys = count(1)


@dataclass
class Failover:
    """How long it took, the order as it was acknowledged, and the status of each answer until then."""

    seconds: float
    order: bytes
    answers: list[int]


def measure(plan: Plan, results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Fail the leader again and again; each time all replicas are in sync before."""
    with Bourse(folder / "bourse") as bourse:
        for name, number in (("SIGKILL", signal.SIGKILL), ("SIGSTOP", signal.SIGSTOP)):
            failovers = [_fail_leader(bourse, number) for _ in range(plan.failovers)]
            bourse.wait_in_sync()
            faults = bourse.faults([one.order for one in failovers])
            results.failures += [f"failover, {name}: {fault}" for fault in faults]
            times = [one.seconds * 1e3 for one in failovers]
            again = sum(len(one.answers) - 1 for one in failovers)
            note = f"worst {max(times):,.0f} ms of {len(times)}, p50 {statistics.median(times):,.0f} ms"
            note += (
                f"; {again} times no answer, 503 or 504, then sent again under the same key"
                if again
                else "; no request failed"
            )
            results.add(PART, name, "ms", times, note)
            say(f"failover, {name}: {note}")


def _fail_leader(bourse: Bourse, number: signal.Signals) -> Failover:
    """Send the signal to the leader, measure, and bring the replica back.

    Raises:
        BenchmarkError: the leadership changed by itself at that moment, again and again.
    """
    for _ in range(MOST_ATTEMPTS):
        bourse.wait_in_sync()
        place(bourse.address, time.perf_counter())  # the frontend knows the leader, as it would while orders come
        leader = bourse.leader_health()
        if leader is None:
            continue
        pid = bourse.pids()[f"order-{leader.replica_id}"]
        signalled, at = time.time(), time.perf_counter()
        os.kill(pid, number)
        failover = place(bourse.address, at)
        newest = _newest_epoch(bourse)
        if number == signal.SIGSTOP:
            os.kill(pid, signal.SIGCONT)
        time.sleep(max(0.0, at + LEAST_PAUSE_S - time.perf_counter()))
        # Otherwise the health loop had chosen another leader just before: no leader failed.
        if newest.leader_id != leader.replica_id and datetime.fromisoformat(newest.time).timestamp() > signalled:
            return failover
    raise BenchmarkError(f"in {MOST_ATTEMPTS} attempts the leadership changed by itself")


def place(address: str, since: float) -> Failover:
    """Place an order until it is acknowledged, as a client is told to: the same key after 503, 504 or no answer.

    Raises:
        BenchmarkError: it was refused, or not acknowledged within a minute.
    """
    body = json.dumps({"name": HOT[0], "type": "sell", "quantity": 1})
    headers = {"Content-Type": "application/json", "Idempotency-Key": f"failover-{next(_keys):023d}"}
    answers: list[int] = []
    while time.perf_counter() < since + BACK_WITHIN_S:
        status, content = _post(address, body, headers)
        answers.append(status)
        if status == CREATED:
            return Failover(time.perf_counter() - since, content, answers)
        if status not in RETRIED:
            break
    raise BenchmarkError(f"an order was not acknowledged; its answers: {answers}")


def _post(address: str, body: str, headers: dict[str, str]) -> tuple[int, bytes]:
    """Return status and body of the answer; NO_ANSWER if there is none."""
    connection = http.client.HTTPConnection(address, timeout=REQUEST_TIMEOUT_S)
    try:
        connection.request("POST", "/orders", body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return NO_ANSWER, b""
    finally:
        connection.close()


def _newest_epoch(bourse: Bourse) -> catalog_pb2.Epoch:
    request = catalog_pb2.ListEpochsRequest(limit=1)
    answer: catalog_pb2.ListEpochsResponse = bourse.network.call(bourse.catalog, request, CALL_TIMEOUT_S)
    return answer.epochs[0]
