"""Part c: PlaceOrder straight at the leader by gRPC, one order a call: what the frontend's gathering and HTTP add."""

import itertools
import json
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.bourse import Bourse
from benchmarks.load_client import LoadResult, latency_note
from benchmarks.plan import Plan
from benchmarks.results import Results, interleave
from benchmarks.traffic import HOT
from common.calls.failures import RpcFailure
from common.rows import ORDER_TYPE_NAMES
from protos import catalog_pb2, order_pb2

PART = "c  PlaceOrder by gRPC at the leader, one order a call, a thread a client"
CALL_TIMEOUT_S = 8.0
_keys = itertools.count(1)


def measure(plan: Plan, results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Measure by numbers of clients."""
    with Bourse(folder / "bourse") as bourse:
        runs = {
            str(clients): partial(_place_orders, bourse, clients, plan.seconds, results)
            for clients in plan.direct_clients
        }
        gave = interleave(runs, plan.rounds)
    for clients in plan.direct_clients:
        loads = gave[str(clients)]
        row = results.add(PART, f"{clients:>2} clients", "orders/s", [load.rate for load in loads], latency_note(loads))
        say(f"gRPC, {clients} clients: {row.median:.0f} orders/s")


def _place_orders(bourse: Bourse, clients: int, seconds: float, results: Results) -> LoadResult:
    """Let threads place orders at the leader, and check as every run of orders is checked."""
    bourse.check_before()
    leader = bourse.leader_health()
    assert leader is not None
    result = LoadResult()
    failures: list[RpcFailure] = []
    began = time.perf_counter()

    def trade() -> None:
        while time.perf_counter() < began + seconds:
            order = _new_order()
            sent_at = time.perf_counter()
            try:
                request = order_pb2.PlaceOrderRequest(epoch=leader.epoch, **order)
                answer = bourse.network.call(bourse.replicas[leader.replica_id], request, CALL_TIMEOUT_S)
            except RpcFailure as failure:
                failures.append(failure)
                continue
            result.latencies.append(time.perf_counter() - sent_at)
            result.kept.append(_as_rest(answer.order))

    threads = [threading.Thread(target=trade) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result.seconds = time.perf_counter() - began
    result.latencies.sort()
    what = f"PlaceOrder, {clients} clients"
    if failures:
        results.failures.append(f"{what}: {len(failures)} calls failed, first: {failures[0]}")
    results.failures += [f"{what}: {fault}" for fault in bourse.faults(result.kept)]
    return result


def _new_order() -> dict[str, Any]:
    number = next(_keys)
    return {
        "stock_name": HOT[0],
        "order_type": catalog_pb2.SELL if number % 2 else catalog_pb2.BUY,
        "quantity": 1,
        "idempotency_key": f"direct-{number:025d}",
    }


def _as_rest(order: order_pb2.Order) -> bytes:
    """Return what the checks need of an order, as the REST interface answers it."""
    data = {
        "transaction_number": order.transaction_number,
        "name": order.stock_name,
        "type": ORDER_TYPE_NAMES[order.order_type],
        "quantity": order.quantity,
        "client_order_id": order.idempotency_key,
    }
    return json.dumps({"data": data}).encode()
