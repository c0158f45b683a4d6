"""Power cuts: what was written and not synced is gone, from anywhere on."""

import time
from collections.abc import Sequence
from math import inf

from deploy.systems.waiting import wait_until
from tests.chaos.trial import Trial, fault

POWER = "power cut"
TRADING_S = 15.0


def write_without_sync(trial: Trial, name: str) -> None:
    """Let the syncs of a backend hang, and wait until it has written what may be lost."""
    disk = trial.system.disks[name]
    disk.fail("sync", "*.csv", "hang")
    wait_until(
        lambda: any(path.exists() and path.stat().st_size > synced for path, synced in disk.synced_lengths().items()),
        10,
        f"{name} has written",
    )


def cut_power(trial: Trial, names: Sequence[str], unsynced: Sequence[str]) -> None:
    """Cut the power of some processes under load, when those of `unsynced` have rows that are not synced."""
    system = trial.system
    with trial.load() as load:
        trial.wait_for_orders(load)
        for name in unsynced:
            write_without_sync(trial, name)
        for name in names:
            system.kill(name)
        lost = 0
        for name in names:
            if name in system.disks:
                lost += sum(system.disks[name].cut_power(trial.chance).values())
                system.disks[name].clear()
        started = time.monotonic()
        for name in names:
            system.restart(name)
        trial.trading_again(load, started, TRADING_S)
    trial.at_most("bytes lost", lost, inf, "")


@fault(POWER)
def power_cut_of_follower(trial: Trial) -> None:
    """It has written rows that the catalog has decided and nobody was told of."""
    name = trial.system.followers()[0]
    cut_power(trial, [name], [name])


@fault(POWER)
def power_cut_of_leader(trial: Trial) -> None:
    """As for a follower; another one leads meanwhile."""
    name = trial.system.leader_name()
    cut_power(trial, [name], [name])


@fault(POWER)
def power_cut_of_catalog(trial: Trial) -> None:
    """What it had written and not synced may be decided now, or never was: nobody was told."""
    cut_power(trial, ["catalog"], ["catalog"])


@fault(POWER)
def power_cut_of_all(trial: Trial) -> None:
    """All rows that anybody was told of are synced somewhere, and the catalog has all of them."""
    system = trial.system
    unsynced = [trial.chance.choice(system.followers()), "catalog"]
    cut_power(trial, list(system.processes), unsynced)
