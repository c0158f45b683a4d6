"""One trial from its start to its end: a system of its own, the fault, all of it up again, the check of its history."""

import random
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from deploy.systems.waiting import wait_until
from tests.chaos.system import System
from tests.chaos.trial import HOT_STOCKS, Fault, Measurement, Trial
from tests.checker.check import find_violations
from tests.checker.saved import save_history
from tests.checker.violations import report
from tests.harness.invariants import recorded_history, wait_for_equal_logs
from tests.harness.seeds import write_seed

HISTORY_NAME = "history.jsonl"
SHARES = 100  # so few that some orders are refused
EQUAL_WITHIN_S = 15.0
WELL_WITHIN_S = 10.0


@dataclass(frozen=True)
class Result:
    """What came of a trial.

    Attributes:
        problems: broken promises and missed bounds; none: it passed.
        orders: how many orders the journal holds.
        requests: how many requests the history holds.
    """

    fault: str
    seed: int
    folder: Path
    seconds: float
    measurements: list[Measurement]
    problems: list[str]
    orders: int
    requests: int


def run_trial(chosen: Fault, seed: int, folder: Path) -> Result:
    """Try a fault once, in a new folder that keeps the data, the output of every process and the history."""
    started = time.monotonic()
    folder.mkdir(parents=True)
    write_seed(folder / "seed.csv", quantity=SHARES, count=4 * HOT_STOCKS)
    with System(folder, folder / "seed.csv", chosen.environment) as system:
        trial = Trial(system, random.Random(seed))
        problems = act(chosen, trial)
        found, orders = check(trial)
    problems += [f"answer outside of docs/API.md: {answer}" for answer in trial.recorder.wrong[:5]]
    problems += [str(measurement) for measurement in trial.measurements if measurement.is_missed]
    return Result(
        fault=chosen.name,
        seed=seed,
        folder=folder,
        seconds=time.monotonic() - started,
        measurements=trial.measurements,
        problems=problems + found,
        orders=orders,
        requests=len(trial.recorder.operations),
    )


def act(chosen: Fault, trial: Trial) -> list[str]:
    """Do the fault and return what it found wrong itself."""
    try:
        chosen.act(trial)
    except AssertionError as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return [f"{chosen.name}: {frame.filename}:{frame.lineno}: {error or frame.line}"]
    return []


def check(trial: Trial) -> tuple[list[str], int]:
    """Bring everything up, wait for quiet, check the whole history; return what is broken, and the number of orders."""
    system = trial.system
    try:
        system.end_faults()
        for frontend in system.rests:
            wait_until(lambda at=frontend: trial.place(frontend=at).order, WELL_WITHIN_S, f"an order by {frontend}")  # type: ignore[misc]
            for name in trial.stocks:
                assert trial.recorder.read_stock(name, frontend) is not None, f"{frontend} does not show {name}"
        data = wait_for_equal_logs(system, system.interval_s + EQUAL_WITHIN_S)
    except AssertionError as error:
        return [f"not well again: {error}"], 0
    history = recorded_history(system, trial.recorder, data, orders_before=trial.orders_before)
    save_history(history, system.folder / HISTORY_NAME)
    violations = find_violations(history)
    return [report(violations)] if violations else [], data.count(b"\n") - 1
