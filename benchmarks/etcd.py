"""Part k: orders of 32 clients beside puts of 32 clients into three members of etcd, where it and wrk are installed."""

import base64
import os
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.bourse import Bourse
from benchmarks.etcd_cluster import EtcdCluster, find_etcd
from benchmarks.load_client import Load
from benchmarks.orders import run_orders
from benchmarks.plan import Plan
from benchmarks.results import Results, interleave
from benchmarks.sides import add_rates, load_note, side_by_side
from benchmarks.traffic import HOT
from benchmarks.wrk import WrkResult, find_wrk, run_wrk

PART = "k  POST /orders beside etcd: three members, puts of 100 bytes over JSON at the leader"
CLIENTS = 32
VALUE_BYTES = 100
WARM_UP_S = 1.0
_runs = count(1)


def measure(plan: Plan, results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Measure orders on one stock and puts of new keys by turns."""
    etcd, wrk = find_etcd(), find_wrk()
    if etcd is None or wrk is None:
        results.remarks.append("etcd or wrk is not installed: orders were not compared with its puts")
        return
    with side_by_side(plan, folder, results, PART) as bourses, EtcdCluster(folder / "etcd", etcd) as cluster:
        for bourse in bourses:
            run_orders(bourse, CLIENTS, WARM_UP_S, HOT, results)
        _put(wrk, cluster, WARM_UP_S, results)
        runs: dict[str, Callable[[], Load]] = {
            bourse.name: partial(_place, bourse, plan.seconds, results) for bourse in bourses
        }
        runs["etcd"] = partial(_put, wrk, cluster, plan.seconds, results)
        gave = interleave(runs, plan.rounds)
    puts = gave.pop("etcd")
    rates = add_rates(results, PART, f"{CLIENTS} clients", "orders/s", gave)
    results.add(PART, f"{CLIENTS} clients: etcd", "puts/s", [load.rate for load in puts], f"by wrk; {load_note(puts)}")
    for name, of in rates.items():
        row = results.add_ratio(PART, f"{CLIENTS} clients: {name} / etcd", of, [load.rate for load in puts])
        say(f"etcd, {name}: {row.median:.2f} orders a put")


def _place(bourse: Bourse, seconds: float, results: Results) -> Load:
    return run_orders(bourse, CLIENTS, seconds, HOT, results).load


def _put(wrk: str, cluster: EtcdCluster, seconds: float, results: Results) -> WrkResult:
    """Put new keys, and check that the cluster has as many more as were answered."""
    before = cluster.key_count()
    load = run_wrk(wrk, cluster.leader, "/v3/kv/put", clients=CLIENTS, seconds=seconds, script=put_script(next(_runs)))
    made = cluster.key_count() - before
    if load.errors:
        results.failures.append(f"etcd: answers that are no puts, by status: {dict(load.errors)}")
    # What is under way when wrk ends is put, but not answered.
    if not load.count <= made <= load.count + CLIENTS:
        results.failures.append(f"etcd: {load.count} puts were answered, and {made} keys made")
    return load


def put_script(run: int) -> str:
    """Return the Lua that makes puts: of new keys each time, and one value.

    Keys and values travel in base64. Any 24 of its letters are a key of 18 bytes, so that digits can be counted in it.
    """
    value = base64.b64encode(os.urandom(VALUE_BYTES)).decode()
    return f"""
local number = 0
local headers = {{["Content-Type"] = "application/json"}}
request = function()
  number = number + 1
  local key = string.format("k%06d%017d", {run}, number)
  return wrk.format("POST", nil, headers, '{{"key":"' .. key .. '","value":"{value}"}}')
end
"""
