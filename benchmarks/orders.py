"""Part b: POST /orders beside the floor and the PostgreSQL peer; part h: what an order costs, by process."""

import os
import statistics
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from benchmarks.floor.system import Floor
from benchmarks.load_client import LoadResult, latency_note, run_load
from benchmarks.plan import Plan
from benchmarks.postgres_peer.cluster import find_programs
from benchmarks.postgres_peer.system import PostgresPeer
from benchmarks.results import Results, interleave
from benchmarks.sides import side_by_side
from benchmarks.traffic import HOT, TEN, order_requests

PART = "b  POST /orders; every answer behind a sync at catalog, leader and both followers"
CPU_PART = "h  CPU time an order, by process (user and system, from /proc)"
WARM_UP_S = 0.5
CREATED = 201


class OrderSystem(Protocol):
    """What takes orders and can be checked."""

    name: str
    address: str

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU time of each process so far."""

    def check_before(self) -> None:
        """Raise BenchmarkError unless everything is synced where it has to be."""

    def faults(self, acknowledged: Collection[bytes]) -> list[str]:
        """Return what is wrong after a run; `acknowledged` are the answers since the last call."""


@dataclass
class OrderRun:
    """One run: what the client saw, and the CPU seconds of each process."""

    load: LoadResult
    cpu_s: dict[str, float]

    @property
    def rate(self) -> float:
        """Acknowledged orders a second."""
        return self.load.rate

    @property
    def cpu_us(self) -> float:
        """CPU time of all processes for one order, in microseconds."""
        return sum(self.cpu_s.values()) / max(len(self.load.latencies), 1) * 1e6


def run_orders(
    system: OrderSystem,
    clients: int,
    seconds: float,
    names: Sequence[str],
    results: Results,
    token: str | None = None,
) -> OrderRun:
    """Place orders for some time; check everything before and after, and record what failed."""
    system.check_before()
    before = system.cpu_s()
    load = run_load(
        system.address,
        order_requests(names, token),
        clients=clients,
        seconds=seconds,
        expected=(CREATED,),
        keep=CREATED,
    )
    after = system.cpu_s()
    what = f"{system.name}, {clients} clients, {len(names)} stocks"
    if load.errors:
        results.failures.append(f"{what}: answers that are no orders, by status: {dict(load.errors)}")
    results.failures += [f"{what}: {fault}" for fault in system.faults(load.kept)]
    load.kept.clear()
    return OrderRun(load, {name: after[name] - before[name] for name in after if name in before})


def measure(plan: Plan, results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Measure all systems, all of them running, one under load at a time: the sides, or Bourse and its peers."""
    with ExitStack() as stack:
        sides = stack.enter_context(side_by_side(plan, folder / "bourse", results, PART))
        systems: list[OrderSystem] = [*sides]
        if not plan.is_comparison:
            systems += _start_peers(stack, folder, results)
        for system in systems:
            run_orders(system, 8, WARM_UP_S, HOT + TEN, results)
        for label, names in {"hot stock": HOT, "ten stocks": TEN}.items():
            if len(names) not in plan.stock_counts:
                continue
            _measure_stocks(plan, results, systems, label, names, say)


def _start_peers(stack: ExitStack, folder: Path, results: Results) -> list[OrderSystem]:
    peers: list[OrderSystem] = [stack.enter_context(Floor(folder / "floor"))]
    programs = find_programs()
    if programs is not None:
        peers.append(stack.enter_context(PostgresPeer(folder / "peer", programs)))
    else:
        results.remarks.append("PostgreSQL is not installed: nothing was compared with it")
    return peers


def _measure_stocks(
    plan: Plan,
    results: Results,
    systems: Sequence[OrderSystem],
    label: str,
    names: Sequence[str],
    say: Callable[[str], None],
) -> None:
    runs = {
        f"{system.name} {clients}": partial(run_orders, system, clients, plan.seconds, names, results)
        for clients in plan.order_clients
        for system in systems
    }
    gave = interleave(runs, plan.rounds)
    for clients in plan.order_clients:
        for system in systems:
            _add_rate(results, f"{label}, {clients:>3} clients: {system.name}", gave[f"{system.name} {clients}"])
        rates = {system.name: [run.rate for run in gave[f"{system.name} {clients}"]] for system in systems}
        for other in systems[1:]:
            what = f"{label}, {clients:>3} clients: Bourse / {other.name}"
            results.add_ratio(PART, what, rates["Bourse"], rates[other.name])
        say(
            f"orders, {label}, {clients} clients: "
            + ", ".join(f"{name} {statistics.median(of):.0f}/s" for name, of in rates.items())
        )
    most, before = plan.order_clients[-1], plan.order_clients[-2]
    upper, lower = ([run.rate for run in gave[f"Bourse {clients}"]] for clients in (most, before))
    results.add_ratio(PART, f"{label}, Bourse: {most} / {before} clients", upper, lower)
    for clients in plan.order_clients:
        for system in systems:
            _add_cpu(results, f"{label}, {clients:>3} clients: {system.name}", gave[f"{system.name} {clients}"])


def _add_rate(results: Results, what: str, runs: Sequence[OrderRun]) -> None:
    loads = [run.load for run in runs]
    errors = sum(load.errors.total() for load in loads)
    note = latency_note(loads) + (f", {errors} ERRORS" if errors else "")
    results.add(PART, what, "orders/s", [load.rate for load in loads], note)


def _add_cpu(results: Results, what: str, runs: Sequence[OrderRun]) -> None:
    count = sum(len(run.load.latencies) for run in runs) or 1
    own = {name: sum(run.cpu_s.get(name, 0.0) for run in runs) / count * 1e6 for name in runs[-1].cpu_s}
    client = sum(run.load.client_cpu_s for run in runs) / count * 1e6
    busy = sum(sum(run.cpu_s.values()) for run in runs) / sum(run.load.seconds for run in runs)
    note = ", ".join(f"{name} {value:.0f}" for name, value in own.items())
    cores = f"{busy:.2f} of {os.cpu_count()} cores"
    results.add(CPU_PART, what, "µs/order", [run.cpu_us for run in runs], f"{note}; load client {client:.0f}; {cores}")
