"""A sync fails or hangs: the process ends without an answer, or is passed over, and loses nothing."""

import time
from math import inf

from common.process.exit_now import EXIT_CODE
from deploy.systems.waiting import wait_until
from tests.chaos.trial import Trial, fault

SYNC = "sync fails or hangs"
NEXT_S = 2.0
STALL_S = 1.0
HUNG_S = 10.0
ELECTED_S = 6.0
CATALOG_BACK_S = 6.0


def fail_sync(trial: Trial, name: str) -> float:
    """Let every sync of a process fail until it has ended, and lose what it had not synced; return when it began.

    So an order that somebody was told of on the strength of a failed sync is missing afterwards.
    """
    disk = trial.system.disks[name]
    disk.fail("sync", "*", "EIO")
    failed = time.monotonic()
    code = trial.system.processes[name].wait(10)
    assert code == EXIT_CODE, f"{name} ended with {code}"
    trial.at_most("bytes lost", sum(disk.cut_power(trial.chance).values()), inf, "")
    disk.clear()
    return failed


def fail_sync_of_replica(trial: Trial, name: str, most_s: float) -> None:
    """Orders go on without it, and it returns."""
    with trial.load() as load:
        trial.wait_for_orders(load)
        failed = fail_sync(trial, name)
        trial.orders_go_on(load, failed, most_s)
        trial.system.restart(name)
        trial.in_sync_within(name, time.monotonic(), trial.system.interval_s + 5)
    trial.no_errors(load)


@fault(SYNC)
def sync_fails_at_leader(trial: Trial) -> None:
    """It ends without an answer; another one leads."""
    fail_sync_of_replica(trial, trial.system.leader_name(), NEXT_S)


@fault(SYNC)
def sync_fails_at_follower(trial: Trial) -> None:
    """It ends without an answer and is left out."""
    fail_sync_of_replica(trial, trial.system.followers()[0], STALL_S)


@fault(SYNC)
def sync_fails_at_catalog(trial: Trial) -> None:
    """It ends without an answer: what it wrote may be on its disk or not, and its start finds out."""
    with trial.load() as load:
        trial.wait_for_orders(load)
        fail_sync(trial, "catalog")
        trial.system.restart("catalog")
        trial.trading_again(load, time.monotonic(), CATALOG_BACK_S)


@fault(SYNC)
def sync_hangs_at_leader(trial: Trial) -> None:
    """It is called stalled after 2 s and replaced, and is brought into sync when its disk works again."""
    system = trial.system
    leader = system.leader_name()
    with trial.load() as load:
        trial.wait_for_orders(load)
        system.disks[leader].fail("sync", "*", "hang")
        hung = time.monotonic()
        trial.orders_go_on(load, hung, ELECTED_S)
        wait_until(lambda: time.monotonic() - hung >= HUNG_S, HUNG_S + 1, "the time of the hanging sync")
        system.disks[leader].clear()
        trial.in_sync_within(leader, time.monotonic(), system.interval_s + 5)
    trial.no_errors(load)
