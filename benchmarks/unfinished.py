"""Part m: thousands of connections with half a request, and how others are served meanwhile."""

import selectors
import socket
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.bourse import Bourse
from benchmarks.load_client import Connection, LoadError, LoadResult, run_load
from benchmarks.open_files import room_for
from benchmarks.orders import run_orders
from benchmarks.plan import Plan
from benchmarks.results import Results, interleave
from benchmarks.sides import add_by_turns, load_note, side_by_side
from benchmarks.traffic import HOST, HOT, look_up_requests, order_requests

PART = "m  connections with half a head or half a body, and the 99th percentile of others"
CLIENTS = 8
CREATED = 201
TRIAL_S = 0.5
HALF_A_HEAD = f"GET /stocks/{HOT[0]} HTTP/1.1\r\nHost: {HOST}\r\nAcc".encode()
HALF_A_BODY = (
    f"POST /orders HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{{"
).encode()


class Unfinished:
    """Connections that have sent half a head and half a body by turns, and send no more. Use it as a context manager.

    There has to be room for them: benchmarks/open_files.py.
    """

    def __init__(self, address: str, count: int) -> None:
        host, _, port = address.rpartition(":")
        self._address = host, int(port)
        self._count = count
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        try:
            for number in range(self._count):
                connection = Connection(self._address)
                self._sockets.append(connection.socket)
                connection.send(HALF_A_BODY if number % 2 else HALF_A_HEAD)
        except LoadError as error:
            self._close()
            raise LoadError(f"{len(self._sockets):,} of {self._count:,} connections could be made: {error}") from error
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        for one in self._sockets:
            one.close()

    def waiting(self) -> int:
        """Return how many have been neither answered nor closed."""
        with selectors.DefaultSelector() as selector:
            for one in self._sockets:
                selector.register(one, selectors.EVENT_READ)
            return len(self._sockets) - len(selector.select(0))


def measure(plan: Plan, results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Measure look-ups and orders of others with and without unfinished requests, by turns."""

    def survive(bourse: Bourse) -> None:
        run_orders(bourse, CLIENTS, TRIAL_S, HOT, results)
        _beside(bourse, plan.unfinished, partial(_look_up, bourse, TRIAL_S))

    with side_by_side(plan, folder, results, PART, trial=survive) as bourses:
        runs: dict[tuple[str, str, int], Callable[[], tuple[LoadResult, int]]] = {}
        for bourse in bourses:
            for count in (0, plan.unfinished):
                look_up = partial(_look_up, bourse, plan.seconds)
                runs["look-ups", bourse.name, count] = partial(_beside, bourse, count, look_up)
                runs["orders", bourse.name, count] = partial(_order_beside, bourse, count, plan.seconds, results)
        gave = interleave(runs, plan.rounds)
    names = [bourse.name for bourse in bourses]
    for what in ("look-ups", "orders"):
        for count in (0, plan.unfinished):
            _add(results, what, count, {name: gave[what, name, count] for name in names})
        for name in names:
            without, beside = (_p99s(gave[what, name, count]) for count in (0, plan.unfinished))
            row = results.add_ratio(PART, f"{what}: {name}, p99 with {plan.unfinished:,} / with none", beside, without)
            say(f"{plan.unfinished:,} unfinished, {what}, {name}: p99 {row.median:.2f} times")


def _beside(bourse: Bourse, count: int, act: Callable[[], LoadResult]) -> tuple[LoadResult, int]:
    """Act beside so many unfinished requests; return what the client saw, and how many were unfinished to the end.

    Raises:
        LoadError: they could not be made, or others are not served beside them.
    """
    with ExitStack() as stack:
        stack.enter_context(room_for(count))
        unfinished = stack.enter_context(Unfinished(bourse.address, count))
        try:
            # Connections are taken in turn: when this later one is answered, all of those have been taken, and what
            # that cost is not in what is measured.
            run_load(bourse.address, look_up_requests(f"/stocks/{HOT[0]}"), clients=1, seconds=0.0)
            load = act()
        except LoadError as error:
            raise LoadError(f"others beside {count:,} unfinished requests: {error}") from error
        return load, unfinished.waiting()


def _look_up(bourse: Bourse, seconds: float) -> LoadResult:
    return run_load(bourse.address, look_up_requests(f"/stocks/{HOT[0]}"), clients=CLIENTS, seconds=seconds)


def _order_beside(bourse: Bourse, count: int, seconds: float, results: Results) -> tuple[LoadResult, int]:
    """As `_beside`, of orders, which are checked when the unfinished requests are gone."""
    bourse.check_before()
    requests = order_requests(HOT)
    place = partial(
        run_load, bourse.address, requests, clients=CLIENTS, seconds=seconds, expected=(CREATED,), keep=CREATED
    )
    load, waiting = _beside(bourse, count, place)
    results.failures += [f"{PART}: {count:,} unfinished, {bourse.name}: {fault}" for fault in bourse.faults(load.kept)]
    load.kept.clear()
    return load, waiting


def _p99s(runs: list[tuple[LoadResult, int]]) -> list[float]:
    return [load.percentile(0.99) * 1e3 for load, _ in runs]


def _add(results: Results, what: str, count: int, runs: dict[str, list[tuple[LoadResult, int]]]) -> None:
    beside = f"{what}, {CLIENTS} clients, {count:,} unfinished"
    notes = {}
    for name, of in runs.items():
        rate = sum(load.rate for load, _ in of) / len(of)
        notes[name] = f"{rate:,.0f}/s; {load_note([load for load, _ in of])}"
        if count:
            notes[name] += f"; {min(waiting for _, waiting in of):,} were still open at the end"
        for load, _ in of:
            if load.errors:
                results.failures.append(f"{PART}, {beside}, {name}: other answers, by status: {dict(load.errors)}")
    add_by_turns(results, PART, f"{beside}: p99", "ms", {name: _p99s(of) for name, of in runs.items()}, notes)
