"""Part j: orders and cached look-ups with accounts and limits on, also with mutual TLS, beside the same without."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.bourse import Bourse
from benchmarks.load_client import LoadResult, run_load
from benchmarks.orders import run_orders
from benchmarks.plan import Plan
from benchmarks.results import Results, interleave
from benchmarks.sides import add_by_turns, add_rates, side_by_side
from benchmarks.traffic import HOT, look_up_requests
from common.process.tls import TLS_VARIABLES

PART = "j  accounts and limits, on and off"
OFF, ON, ON_TLS = "off", "on", "on, TLS"
# Limits that are counted, and never reached.
ACCOUNTS = {"BOURSE_AUTH": "on", "BOURSE_RATE_READ": "100000000/s", "BOURSE_RATE_TRADE": "100000000/s"}
SETTINGS: dict[str, Mapping[str, str]] = {OFF: {}, ON: ACCOUNTS, ON_TLS: ACCOUNTS}
ORDER_CLIENTS = 32
LOOK_UP_CLIENTS = (1, 32)
WARM_UP_S = 0.5


@dataclass
class LookUps:
    """One run, and the CPU seconds of the frontend in it."""

    load: LoadResult
    frontend_s: float

    @property
    def cpu_us(self) -> float:
        """CPU time of the frontend for one look-up, in microseconds."""
        return self.frontend_s / max(len(self.load.latencies), 1) * 1e6


def measure(plan: Plan, results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Measure each side with accounts on and off, all of them by turns."""
    with ExitStack() as stack:
        systems: dict[tuple[str, str], tuple[Bourse, str | None]] = {}
        for setting, variables in SETTINGS.items():
            environment = {**variables, **(certificates(folder / "certificates") if setting == ON_TLS else {})}
            sides = side_by_side(plan, folder / setting, results, PART, environment=environment)
            for bourse in stack.enter_context(sides):
                systems[bourse.name, setting] = bourse, bourse.make_token() if setting != OFF else None
        for bourse, token in systems.values():
            run_orders(bourse, ORDER_CLIENTS, WARM_UP_S, HOT, results, token)
        order_runs = {
            key: partial(run_orders, bourse, ORDER_CLIENTS, plan.seconds, HOT, results, token)
            for key, (bourse, token) in systems.items()
        }
        orders = interleave(order_runs, plan.rounds)
        look_up_runs = {
            (*key, clients): partial(_look_up, bourse, token, clients, plan.seconds)
            for clients in LOOK_UP_CLIENTS
            for key, (bourse, token) in systems.items()
        }
        look_ups = interleave(look_up_runs, plan.rounds)
    for setting in SETTINGS:
        loads = {name: [run.load for run in of] for (name, its), of in orders.items() if its == setting}
        add_rates(results, PART, f"orders, {ORDER_CLIENTS} clients, {setting}", "orders/s", loads)
    names = list(dict.fromkeys(name for name, _ in systems))
    for name in names:
        rates = {setting: [run.rate for run in orders[name, setting]] for setting in SETTINGS}
        for on in (ON, ON_TLS):
            row = results.add_ratio(PART, f"orders, {ORDER_CLIENTS} clients: {name}, {on} / off", rates[on], rates[OFF])
            say(f"accounts, {name}: orders {on} / off {row.median:.2f}")
    for clients in LOOK_UP_CLIENTS:
        _add_look_ups(results, clients, {(n, s): runs for (n, s, c), runs in look_ups.items() if c == clients})


def certificates(folder: Path) -> dict[str, str]:
    """Make an authority and a certificate for processes of this machine; return the settings that name them."""
    command = ["sh", "deploy/certificates.sh", str(folder), "bourse", "localhost 127.0.0.1"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    files = zip(TLS_VARIABLES, ("ca.pem", "bourse.pem", "bourse-key.pem"), strict=True)
    return {variable: str(folder / name) for variable, name in files}


def _look_up(bourse: Bourse, token: str | None, clients: int, seconds: float) -> LookUps:
    before = bourse.cpu_s()["frontend"]
    load = run_load(bourse.address, look_up_requests(f"/stocks/{HOT[0]}", token), clients=clients, seconds=seconds)
    return LookUps(load, bourse.cpu_s()["frontend"] - before)


def _add_look_ups(results: Results, clients: int, runs: dict[tuple[str, str], Sequence[LookUps]]) -> None:
    what = f"cached look-ups, {clients:>2} clients"
    for setting in SETTINGS:
        own = {name: of for (name, its), of in runs.items() if its == setting}
        add_rates(
            results, PART, f"{what}, {setting}", "requests/s", {n: [one.load for one in of] for n, of in own.items()}
        )
        costs = {name: [one.cpu_us for one in of] for name, of in own.items()}
        add_by_turns(results, PART, f"{what}, {setting}: CPU time of the frontend", "µs/look-up", costs)
    for name in dict.fromkeys(name for name, _ in runs):
        rates = {setting: [one.load.rate for one in runs[name, setting]] for setting in SETTINGS}
        for on in (ON, ON_TLS):
            results.add_ratio(PART, f"{what}: {name}, {on} / off", rates[on], rates[OFF])
