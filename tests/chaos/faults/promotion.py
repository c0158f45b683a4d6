"""Whoever is about to take over, or to bring another one up to date, is killed at it: the next one goes on."""

import time

from tests.chaos.trial import Trial, fault
from tests.checker.history import Outcome

GROUP = "leader killed during BulkUpsert, chosen replica killed during promotion"
MANY_ORDERS = 30_000
NEXT_S = 2.0
CATCH_UP_S = 8.0
SECOND_ELECTION_S = 5.0


@fault(GROUP)
def leader_killed_during_bulk_upsert(trial: Trial) -> None:
    """An empty replica is being filled; the next leader goes on where the dead one stopped."""
    system = trial.system
    trial.begin_without("order-1", MANY_ORDERS)
    with trial.load() as load:
        trap = system.kill_at(system.leader_name(), "catch-up-page")
        system.restart("order-1")
        trap.wait(30)
        killed = time.monotonic()
        trial.orders_go_on(load, killed, NEXT_S)
        trial.in_sync_within("order-1", killed, 2 * system.interval_s + CATCH_UP_S)
    trial.no_errors(load)


@fault(GROUP)
def chosen_replica_killed_before_its_epoch(trial: Trial) -> None:
    """It has read what it lacked."""
    kill_chosen(trial, "promotion-read")


@fault(GROUP)
def chosen_replica_killed_in_its_epoch(trial: Trial) -> None:
    """The newest epoch is that of a dead replica, which has never led."""
    kill_chosen(trial, "promotion-begun")


def kill_chosen(trial: Trial, step: str) -> None:
    """Kill the leader, then the one that is chosen to follow it, at a step of its promotion."""
    system = trial.system
    assert trial.place().outcome is Outcome.ORDER
    leader = system.leader_name()
    chosen = max(system.followers())
    with trial.load() as load:
        trial.wait_for_orders(load)
        trap = system.kill_at(chosen, step)
        killed = time.monotonic()
        system.kill(leader)
        trap.wait()
        trial.orders_go_on(load, killed, SECOND_ELECTION_S)
    trial.no_errors(load)
