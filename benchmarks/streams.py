"""Part l: thousands of open streams of events while others trade."""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.beside import Beside
from benchmarks.bourse import Bourse
from benchmarks.event_reader import LAST_WITHIN_S, Seen, read_streams
from benchmarks.load_client import SILENCE_S, LoadResult, run_load
from benchmarks.orders import run_orders
from benchmarks.plan import Plan
from benchmarks.processes import BenchmarkError
from benchmarks.results import Results, interleave
from benchmarks.sides import add_by_turns, add_rates, medians, side_by_side
from benchmarks.syncs import get_metrics
from benchmarks.traffic import order_requests
from deploy.systems.waiting import wait_until

PART = "l  streams of events: each of one stock, while 8 clients trade on all of these stocks"
CLIENTS = 8
OK, CREATED = 200, 201
WARM_UP_S = 1.0
# A server may hear that a client has gone only when it next writes to it: a comment every 15 s.
CLOSED_WITHIN_S = 40.0
_OPEN_STREAMS = re.compile(r"^bourse_frontend_event_streams (\S+)$", re.MULTILINE)
# As many as are listed by default.
STOCKS = [f"EVENT-{number:02d}" for number in range(32)]


@dataclass
class Run:
    """One run: what the trading clients saw, what the streams brought, and the frontend's memory in bytes.

    Attributes:
        idle_memory, traded_memory: with all streams open, before and after the trading.
    """

    load: LoadResult
    seen: Seen
    idle_memory: int
    traded_memory: int


def measure(plan: Plan, results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Trade with no stream open and with many, by turns; each side has a system for either."""
    memory_before: dict[str, int] = {}

    def warm_up(bourse: Bourse) -> None:
        run_orders(bourse, CLIENTS, WARM_UP_S, STOCKS, results)

    def try_to_open(bourse: Bourse) -> None:
        warm_up(bourse)
        memory_before[bourse.name] = bourse.frontend_memory()
        with Beside(read_streams, bourse.address, STOCKS, plan.streams) as reader:
            _wait_open(reader, plan.streams)

    sides = partial(side_by_side, plan, results=results, part=PART, stocks=STOCKS)
    environment = {"BOURSE_EVENT_STREAMS": str(plan.streams)}
    with (
        sides(folder=folder / "many", environment=environment, trial=try_to_open) as streamed,
        sides(folder=folder / "none", trial=warm_up) as bare,
    ):
        names = [bourse.name for bourse in streamed]
        runs = {("none", one.name): partial(_run, one, 0, plan.seconds, results) for one in bare if one.name in names}
        runs |= {("many", one.name): partial(_run, one, plan.streams, plan.seconds, results) for one in streamed}
        gave = interleave(runs, plan.rounds)
    none, many = ({name: gave[which, name] for name in names} for which in ("none", "many"))
    bare_rates = add_rates(results, PART, "no stream", "orders/s", _loads(none))
    rates = add_rates(results, PART, f"{plan.streams:,} streams", "orders/s", _loads(many))
    for name in names:
        results.add_ratio(
            PART, f"orders with {plan.streams:,} streams / with none: {name}", rates[name], bare_rates[name]
        )
    _add_events(results, many)
    _add_memory(plan, results, many, memory_before)
    say(f"{plan.streams:,} streams: {medians(rates)} orders/s, with none {medians(bare_rates)}")


def _run(bourse: Bourse, streams: int, seconds: float, results: Results) -> Run:
    """Open so many streams, trade, and wait until all events of these orders have come."""
    if not streams:
        return Run(run_orders(bourse, CLIENTS, seconds, STOCKS, results).load, Seen(), 0, 0)
    bourse.check_before()
    wait_until(lambda: not open_streams(get_metrics(bourse.address)), CLOSED_WITHIN_S, "the last streams are closed")
    with Beside(read_streams, bourse.address, STOCKS, streams) as reader:
        _wait_open(reader, streams)
        idle_memory = bourse.frontend_memory()
        requests = order_requests(STOCKS)
        load = run_load(bourse.address, requests, clients=CLIENTS, seconds=seconds, expected=(CREATED,), keep=CREATED)
        traded_memory = bourse.frontend_memory()
        reader.send(numbers_by_stock(load.kept))
        seen: Seen = reader.receive(LAST_WITHIN_S + SILENCE_S)
    faults = bourse.faults(load.kept)
    load.kept.clear()
    if seen.missing and not seen.resets:
        faults.append(f"{seen.missing} events never came")
    results.failures += [f"{PART}: {bourse.name}: {fault}" for fault in faults]
    return Run(load, seen, idle_memory, traded_memory)


def _wait_open(reader: Beside, streams: int) -> None:
    """Wait until all streams are open.

    Raises:
        BenchmarkError: some are refused.
        LoadError: some are not answered.
    """
    statuses: Mapping[int, int] = reader.receive(SILENCE_S + streams * 0.01)
    if statuses[OK] < streams:
        raise BenchmarkError(f"{statuses[OK]:,} of {streams:,} streams are opened; by status: {dict(statuses)}")


def open_streams(metrics: str) -> int:
    """Return how many streams are open, as these metrics of a frontend say."""
    [count] = _OPEN_STREAMS.findall(metrics)
    return int(float(count))


def numbers_by_stock(acknowledged: Collection[bytes]) -> dict[str, set[int]]:
    """Return the numbers of orders, given as they were answered, by their stock."""
    numbers = defaultdict(set)
    for body in acknowledged:
        order = json.loads(body)["data"]
        numbers[order["name"]].add(order["transaction_number"])
    return dict(numbers)


def _loads(runs: Mapping[str, Sequence[Run]]) -> dict[str, list[LoadResult]]:
    return {name: [run.load for run in of] for name, of in runs.items()}


def _add_events(results: Results, runs: Mapping[str, Sequence[Run]]) -> None:
    """Add how long orders took to the streams, from the time that they bear."""
    times: dict[str, list[float]] = {}
    notes = {}
    for name, of in runs.items():
        every = [run.seen for run in of]
        times[name] = [seen.percentile(0.99) * 1e3 for seen in every]
        p50, worst = (max(seen.percentile(part) for seen in every) * 1e3 for part in (0.5, 1.0))
        reader = sum(seen.cpu_s for seen in every) / sum(run.load.seconds for run in of)
        notes[name] = (
            f"p50 {p50:.0f} ms, worst {worst:.0f} ms; {sum(len(seen.latencies) for seen in every):,} events read,"
            f" {sum(seen.missing for seen in every):,} missing, {sum(seen.resets for seen in every):,} resets,"
            f" {sum(seen.ended for seen in every):,} streams ended; reader {reader:.0%} of a core"
        )
    add_by_turns(results, PART, "event of an order after its created_at, p99", "ms", times, notes)


def _add_memory(plan: Plan, results: Results, runs: Mapping[str, Sequence[Run]], before: Mapping[str, int]) -> None:
    """Add by how much the frontend grew a stream, from before any was ever opened."""

    def grown(name: str, memory: int) -> float:
        return (memory - before[name]) / plan.streams / 1024

    idle = {name: [grown(name, run.idle_memory) for run in of] for name, of in runs.items()}
    traded = {name: [grown(name, run.traded_memory) for run in of] for name, of in runs.items()}
    for what, values in {"all idle": idle, "after the trading": traded}.items():
        for name, of in values.items():
            results.add(PART, f"memory of the frontend a stream, {what}: {name}", "KiB", of)
