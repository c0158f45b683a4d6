"""Part n: a thousand orders at once, each from its own connection, and the look-ups of another client meanwhile."""

import selectors
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from benchmarks.beside import Beside
from benchmarks.bourse import Bourse
from benchmarks.load_client import SILENCE_S, Connection, LoadError, LoadResult, run_load
from benchmarks.open_files import room_for
from benchmarks.orders import run_orders
from benchmarks.plan import Plan
from benchmarks.results import Results, interleave
from benchmarks.sides import add_by_turns, medians, side_by_side
from benchmarks.traffic import HOT, look_up_requests, order_requests

PART = "n  orders at once, each from a connection of its own"
CREATED, NO_ORDER = 201, 503
WARM_UP_S = 0.5
LOOK_UP_S = 0.2
# The look-ups begin before the orders, and end after the last of them.
STARTED_WITHIN_S = 30.0


@dataclass
class Burst:
    """How the orders were answered. Times in seconds, from when an order was sent.

    Attributes:
        times: of each answer, by its status; NO_ANSWER: the connection broke.
        kept: the bodies of the answers 201.
        look_ups: what the other client saw meanwhile.
    """

    times: dict[int, list[float]] = field(default_factory=dict)
    kept: list[bytes] = field(default_factory=list)
    look_ups: LoadResult = field(default_factory=LoadResult)

    @property
    def slowest(self) -> float:
        """The time of the last answer."""
        return max(max(times) for times in self.times.values())

    @property
    def counts(self) -> Counter[int]:
        """How many answers there were, by status."""
        return Counter({status: len(times) for status, times in self.times.items()})


def measure(plan: Plan, results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Send the orders at once, again and again, on each side by turns."""

    def warm_up(bourse: Bourse) -> None:
        run_orders(bourse, 8, WARM_UP_S, HOT, results)

    with side_by_side(plan, folder, results, PART, trial=warm_up) as bourses:
        runs = {bourse.name: partial(_measure_one, bourse, plan.burst, results) for bourse in bourses}
        gave = interleave(runs, plan.rounds)
    slowest = {name: [one.slowest * 1e3 for one in of] for name, of in gave.items()}
    look_ups = {name: [one.look_ups.latencies[-1] * 1e3 for one in of] for name, of in gave.items()}
    answers = {name: "; ".join(_counts(one) for one in of) for name, of in gave.items()}
    add_by_turns(results, PART, f"{plan.burst:,} orders: the slowest answer", "ms", slowest, answers)
    add_by_turns(results, PART, f"{plan.burst:,} orders: the slowest look-up of another client", "ms", look_ups)
    say(f"{plan.burst:,} orders at once: slowest answer, ms: {medians(slowest)}; slowest look-up: {medians(look_ups)}")


def _counts(burst: Burst) -> str:
    return ", ".join(f"{count:,} times {status}" for status, count in sorted(burst.counts.items()))


def _measure_one(bourse: Bourse, count: int, results: Results) -> Burst:
    bourse.check_before()
    with Beside(look_up_until_told, bourse.address, f"/stocks/{HOT[0]}") as other:
        other.receive(STARTED_WITHIN_S)
        with room_for(count):
            burst = place_at_once(bourse.address, order_requests(HOT), count)
        other.send("enough")
        burst.look_ups = other.receive(SILENCE_S)
    if wrong := {status: number for status, number in burst.counts.items() if status not in (CREATED, NO_ORDER)}:
        results.failures.append(f"{PART}: {bourse.name}: answers that are neither 201 nor 503, by status: {wrong}")
    if burst.look_ups.errors:
        results.failures.append(f"{PART}: {bourse.name}: look-ups, by status: {dict(burst.look_ups.errors)}")
    results.failures += [f"{PART}: {bourse.name}: {fault}" for fault in bourse.faults(burst.kept)]
    return burst


def place_at_once(address: str, make_order: Callable[[], bytes], count: int) -> Burst:
    """Open so many connections, then send an order on each, and wait for all answers.

    Raises:
        LoadError: a connection is not taken, or no answer comes for SILENCE_S.
    """
    host, _, port = address.rpartition(":")
    burst = Burst()
    with selectors.DefaultSelector() as selector:
        try:
            for _ in range(count):
                connection = Connection((host, int(port)))
                selector.register(connection.socket, selectors.EVENT_READ, connection)
            orders = [make_order() for _ in range(count)]
            for key, order in zip(list(selector.get_map().values()), orders, strict=True):
                key.data.send(order)
            _take_answers(selector, burst)
        finally:
            for key in list(selector.get_map().values()):
                key.data.socket.close()
    return burst


def _take_answers(selector: selectors.BaseSelector, burst: Burst) -> None:
    while waiting := len(selector.get_map()):
        ready = selector.select(SILENCE_S)
        if not ready:
            raise LoadError(f"{waiting:,} orders got no answer within {SILENCE_S:.0f} s")
        for key, _ in ready:
            answer = key.data.receive()
            if answer is None:
                continue
            status, body = answer
            burst.times.setdefault(status, []).append(time.perf_counter() - key.data.sent_at)
            if status == CREATED:
                burst.kept.append(body)
            selector.unregister(key.fileobj)
            key.data.socket.close()


def look_up_until_told(pipe: Pipe, address: str, path: str) -> None:
    """For a process of its own: GET the path from one connection after the other, until something comes through the
    pipe. Tells when it has begun, and in the end the LoadResult of all."""
    whole = LoadResult()
    try:
        while not pipe.poll():
            load = run_load(address, look_up_requests(path), clients=1, seconds=LOOK_UP_S)
            if not whole.latencies:
                pipe.send("begun")
            whole.latencies += load.latencies
            whole.errors += load.errors
            whole.seconds += load.seconds
        whole.latencies.sort()
        pipe.send(whole)
        pipe.poll(None)
    except LoadError as error:
        pipe.send(error)
    except (EOFError, BrokenPipeError):
        return
