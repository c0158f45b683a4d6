"""The leader is killed, at each step of an order."""

import time

from tests.chaos.trial import Trial, fault
from tests.checker.history import Outcome

KILLED = "leader killed"
NEXT_S = 2.0


@fault(KILLED)
def leader_killed_idle(trial: Trial) -> None:
    """Nobody trades when it dies; the next order has to find that out."""
    assert trial.place().outcome is Outcome.ORDER
    trial.system.kill(trial.system.leader_name())
    intent = trial.intent()
    request = trial.place(intent)
    trial.at_most("next order", request.ended - request.invoked, NEXT_S)
    assert request.outcome is Outcome.ORDER, request
    replayed = trial.place(intent, "frontend-2")
    assert replayed.order == request.order, replayed


def kill_leader_at(trial: Trial, step: str) -> None:
    """Kill the leader at a step under load; every order is answered all the same, and keeps its number."""
    system = trial.system
    leader = system.leader_name()
    with trial.load() as load:
        trial.wait_for_orders(load)
        trap = system.kill_at(leader, step)
        trap.wait()
        killed = time.monotonic()
        trial.orders_go_on(load, killed, NEXT_S)
        system.processes[leader].wait(5)
        system.restart(leader)
        trial.in_sync_within(leader, time.monotonic(), system.interval_s + 5)
    trial.no_errors(load)
    for intent in load.intents[-3:]:
        if intent.number is not None:
            assert trial.place(intent).order == intent.requests[0].order


@fault(KILLED)
def leader_killed_before_the_catalog_call(trial: Trial) -> None:
    """Nothing is decided."""
    kill_leader_at(trial, "leader-deciding")


@fault(KILLED)
def leader_killed_before_its_own_append(trial: Trial) -> None:
    """Decided, and known to the catalog alone."""
    kill_leader_at(trial, "leader-decided")


@fault(KILLED)
def leader_killed_before_its_answer(trial: Trial) -> None:
    """Committed, and nobody was told."""
    kill_leader_at(trial, "leader-committed")
