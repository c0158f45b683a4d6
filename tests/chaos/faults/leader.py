"""The leader is killed, or frozen, at each step of an order."""

import time
from collections.abc import Callable

from deploy.systems.waiting import wait_until
from tests.chaos.proxy import REQUESTS
from tests.chaos.trial import Trial, fault
from tests.checker.history import Outcome
from tests.harness.load import Load

KILLED = "leader killed"
FROZEN = "leader frozen 10 s and resumed in mid-batch"
SILENT = "leader's host gone without a word"
NEXT_S = 2.0
FROZEN_S = 10.0
WITHOUT_FROZEN_S = 2.0
SILENT_S = 1.5


@fault(KILLED)
def leader_killed_idle(trial: Trial) -> None:
    """Nobody trades when it dies; the next order has to find that out."""
    assert trial.place().outcome is Outcome.ORDER
    trial.system.kill(trial.system.leader_name())
    intent = trial.intent()
    request = trial.place(intent)
    trial.at_most("next order", request.ended - request.invoked, NEXT_S)
    assert request.outcome is Outcome.ORDER, request
    assert trial.place(intent, "frontend-2").order == request.order


@fault(KILLED)
def leader_killed_before_the_catalog_call(trial: Trial) -> None:
    """Nothing is decided."""
    kill_leader(trial, lambda leader: trial.system.kill_at(leader, "leader-deciding").wait())


@fault(KILLED)
def leader_killed_before_its_own_append(trial: Trial) -> None:
    """Decided, and known to the catalog alone."""
    kill_leader(trial, lambda leader: trial.system.kill_at(leader, "leader-decided").wait())


@fault(KILLED)
def leader_killed_between_append_and_sync_order(trial: Trial) -> None:
    """Decided and in its own log; the messages to the followers arrive after its death, and after its successor's."""

    def kill(leader: str) -> None:
        system = trial.system
        decided = system.park_at(leader, "leader-decided")
        decided.wait()
        for follower in system.followers():
            system.links.between(leader, follower).hold(REQUESTS)
        appended = system.kill_at(leader, "leader-appended")
        decided.release()
        appended.wait()

    kill_leader(trial, kill)


@fault(KILLED)
def leader_killed_after_one_of_two_followers(trial: Trial) -> None:
    """One follower holds what the other lacks; which of them leads next is left to chance."""

    def kill(leader: str) -> None:
        system = trial.system
        decided = system.park_at(leader, "leader-decided")
        decided.wait()
        left_out, served = trial.chance.sample(system.followers(), 2)
        system.links.between(leader, left_out).hold(REQUESTS)
        decided.release()
        wait_until(lambda: last_number(trial, served) > last_number(trial, left_out), 5, f"orders at {served} alone")
        system.kill(leader)

    kill_leader(trial, kill)


@fault(KILLED)
def leader_killed_before_its_answer(trial: Trial) -> None:
    """Committed, and nobody was told."""
    kill_leader(trial, lambda leader: trial.system.kill_at(leader, "leader-committed").wait())


@fault(FROZEN)
def leader_frozen_before_the_catalog_call(trial: Trial) -> None:
    """When it wakes it asks for a batch in an epoch that is over."""
    freeze_leader(trial, "leader-deciding")


@fault(FROZEN)
def leader_frozen_before_its_own_append(trial: Trial) -> None:
    """When it wakes it appends and sends what was decided long ago, and answers callers that have gone."""
    freeze_leader(trial, "leader-decided")


@fault(SILENT)
def leader_blackholed(trial: Trial) -> None:
    """Its host is gone, and nothing says so: no connection is reset. Back again, it finds that another one leads."""
    system = trial.system
    leader = system.leader_name()
    with trial.load() as load:
        trial.wait_for_orders(load)
        gone = time.monotonic()
        system.blackhole(leader)
        trial.orders_go_on(load, gone, SILENT_S)
        trial.let_pass(FROZEN_S)
        trial.at_most("slowest order, all the time", load.longest_s(gone), SILENT_S)
        healed = time.monotonic()
        system.links.heal()
        trial.in_sync_within(leader, healed, system.interval_s + 5)
    trial.no_errors(load)
    ask_again(trial, load, gone)


@fault(SILENT)
def leader_blackholed_while_nobody_trades(trial: Trial) -> None:
    """The next order has to find that out."""
    system = trial.system
    assert trial.place().outcome is Outcome.ORDER
    system.blackhole(system.leader_name())
    intent = trial.intent()
    request = trial.place(intent)
    trial.at_most("next order", request.ended - request.invoked, SILENT_S)
    assert request.outcome is Outcome.ORDER, request
    assert trial.place(intent, "frontend-2").order == request.order


def kill_leader(trial: Trial, kill: Callable[[str], None]) -> None:
    """Kill the leader under load: every order is answered all the same, and keeps its number."""
    system = trial.system
    leader = system.leader_name()
    with trial.load() as load:
        trial.wait_for_orders(load)
        kill(leader)
        killed = time.monotonic()
        trial.orders_go_on(load, killed, NEXT_S)
        system.links.heal()
        system.processes[leader].wait(5)
        system.restart(leader)
        trial.in_sync_within(leader, time.monotonic(), system.interval_s + 5)
    trial.no_errors(load)
    ask_again(trial, load, killed)


def freeze_leader(trial: Trial, step: str) -> None:
    """Freeze the leader at a step under load, and wake it there when another has led for a while."""
    system = trial.system
    leader = system.leader_name()
    with trial.load() as load:
        trial.wait_for_orders(load)
        trap = system.park_at(leader, step)
        trap.wait()
        frozen = time.monotonic()
        system.freeze(leader)
        trap.release()
        trial.orders_go_on(load, frozen, WITHOUT_FROZEN_S)
        trial.let_pass(frozen + FROZEN_S - time.monotonic())
        system.resume(leader)
        trial.in_sync_within(leader, time.monotonic(), system.interval_s + 5)
        trial.wait_for_orders(load, since=time.monotonic())
    ask_again(trial, load, frozen)


def ask_again(trial: Trial, load: Load, moment: float) -> None:
    """Repeat the orders that were under way at a moment: each must be answered as before."""
    under_way = [one for one in load.intents if one.started <= moment <= one.ended and one.number is not None]
    assert under_way, "no order was under way"
    for intent in under_way:
        number = intent.number
        answer = trial.place(intent, trial.chance.choice(list(trial.recorder.rests)))
        assert answer.order is not None, (number, answer)
        assert answer.order.number == number, (number, answer)


def last_number(trial: Trial, name: str) -> int:
    """Return the last number of a replica, 0 if it does not answer."""
    health = trial.system.health(int(name.removeprefix("order-")))
    return health.last_number if health else 0
