"""A disk is full, and has space again: nothing ends, nothing is lost, nobody has to come."""

import time

from deploy.systems.waiting import wait_until
from tests.chaos.trial import Trial, fault
from tests.checker.history import Outcome

FULL = "disk full"
STALL_S = 1.0
ELECTED_S = 6.0
SPACE_AGAIN_S = 6.0


def fill_disk(trial: Trial, name: str) -> None:
    """Fill a backend's disk: its log takes part of one more batch, every other file nothing."""
    log = trial.system.data_dir / name / ("catalog_journal.csv" if name == "catalog" else "order_database.csv")
    length = log.stat().st_size + trial.chance.randrange(200)
    trial.system.disks[name].fail("write", log.name, f"full:{length}")
    trial.system.disks[name].fail("write", "*", "ENOSPC")


def fill_disk_of_replica(trial: Trial, name: str, most_s: float) -> None:
    """Orders go on without it; it runs all the time, and returns when there is space."""
    system = trial.system
    with trial.load() as load:
        trial.wait_for_orders(load)
        fill_disk(trial, name)
        full = time.monotonic()
        wait_until(lambda: not system.in_sync(name), 10, f"{name} left out")
        trial.orders_go_on(load, full, most_s)
        assert system.processes[name].is_running
        system.disks[name].clear()
        trial.in_sync_within(name, time.monotonic(), system.interval_s + 5)
    trial.no_errors(load)


@fault(FULL)
def disk_full_at_follower(trial: Trial) -> None:
    """It answers an error and is left out."""
    fill_disk_of_replica(trial, trial.system.followers()[0], STALL_S)


@fault(FULL)
def disk_full_at_leader(trial: Trial) -> None:
    """It steps down; another one leads."""
    fill_disk_of_replica(trial, trial.system.leader_name(), ELECTED_S)


@fault(FULL)
def disk_full_at_catalog(trial: Trial) -> None:
    """Orders are refused with DISK_FULL as not executed; reads go on; trade goes on by itself."""
    system = trial.system
    made = trial.place()
    assert made.order is not None, made
    with trial.load() as load:
        trial.wait_for_orders(load)
        fill_disk(trial, "catalog")
        full = time.monotonic()
        refused = wait_until(
            lambda: [one for one in load.errors() if one.invoked > full and one.outcome is Outcome.NOT_EXECUTED],
            10,
            "a refused order",
        )
        trial.at_most("refused after", refused[0].ended - refused[0].invoked, 8.0)
        assert trial.recorder.read_stock(trial.stocks[0]) is not None, "no stock is served"
        trial.still_served(made.order.number)
        assert system.processes["catalog"].is_running
        system.disks["catalog"].clear()
        trial.trading_again(load, time.monotonic(), SPACE_AGAIN_S)
