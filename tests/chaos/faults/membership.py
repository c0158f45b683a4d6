"""Processes are restarted one after the other, added and replaced while orders go on."""

import time
from collections import Counter
from itertools import pairwise
from math import inf

from deploy.systems.waiting import wait_until
from tests.chaos.repair import wipe
from tests.chaos.trial import Trial, fault
from tests.checker.history import Outcome
from tests.harness.load import Load

PLANNED = "rolling restart, replica added, replica replaced"
PAUSE_S = 3.0
FILLED_S = 5.0  # beside two rounds of the health loop: one tells the leader, one fills
NEW_ID = 4


class Restarts:
    """Processes restarted one after the other, and when."""

    def __init__(self, trial: Trial, load: Load) -> None:
        self.trial = trial
        self._load = load
        self.begun: list[tuple[float, str]] = []

    def restart(self, name: str) -> None:
        """Stop a process cleanly, start it again, and wait until it does its part."""
        system = self.trial.system
        self.begun.append((time.monotonic(), name))
        code = system.processes[name].terminate()
        assert code == 0, f"{name} ended with {code}"
        system.restart(name)
        wait_until(lambda: self._answers(name), 20, f"{name} answers")
        # Only an order shows the leader that a follower came back with a connection of its own.
        self.trial.wait_for_orders(self._load, 5, since=time.monotonic())
        if name == "catalog" or name.startswith("order-"):
            wait_until(system.all_in_sync, 20, f"all in sync after {name}")

    def _answers(self, name: str) -> bool:
        system = self.trial.system
        if name == "catalog":
            return system.catalog_health() is not None
        if name in system.rests:
            return system.frontends_are_open()
        if name == "health":
            return system.processes[name].is_running
        return system.health(int(name.removeprefix("order-"))) is not None

    def restart_all(self) -> None:
        """Restart every process; the leader is one of them, whichever it is by then."""
        for name in list(self.trial.system.processes):
            self.restart(name)

    def tell_members(self) -> float:
        """Let those who choose the leader learn of its members, the health loop last; return when it was restarted."""
        for name in (*self.trial.system.rests, "health"):
            self.restart(name)
        return time.monotonic()

    def measure_pauses(self) -> None:
        """Measure the longest time without an acknowledgement, and after which restart it was."""
        ends = sorted(intent.ended for intent in self._load.intents if intent.number is not None)
        pause, began = max((after - before, before) for before, after in pairwise(ends))
        names = [name for begun, name in self.begun if begun <= began + pause]
        self.trial.at_most(f"longest pause ({names[-1]})", pause, PAUSE_S)
        outcomes = Counter(request.outcome for request in self._load.errors())
        self.trial.at_most("504", outcomes[Outcome.UNKNOWN], 0, "")
        self.trial.at_most("503", outcomes[Outcome.NOT_EXECUTED], inf, "")


@fault(PLANNED)
def rolling_restart(trial: Trial) -> None:
    """Every process, each when the one before is back."""
    with trial.load() as load:
        restarts = Restarts(trial, load)
        trial.wait_for_orders(load)
        restarts.restart_all()
        trial.wait_for_orders(load, since=time.monotonic())
    restarts.measure_pauses()


@fault(PLANNED)
def fourth_replica_added(trial: Trial) -> None:
    """An empty directory and an entry in everybody's configuration; a rolling restart tells them."""
    system = trial.system
    with trial.load() as load:
        restarts = Restarts(trial, load)
        trial.wait_for_orders(load, 100)
        system.set_members([*system.replicas, NEW_ID])
        system.restart(f"order-{NEW_ID}")
        trial.in_sync_within(f"order-{NEW_ID}", restarts.tell_members(), 2 * system.interval_s + FILLED_S)
        restarts.restart_all()
        trial.wait_for_orders(load, since=time.monotonic())
    restarts.measure_pauses()


@fault("one replica down, and the address of another leads to the leader", BOURSE_MIN_IN_SYNC="2")
def wrong_replica_at_an_address(trial: Trial) -> None:
    """The leader is asked whether it holds its own orders: it counts once, and nothing is acknowledged meanwhile."""
    system = trial.system
    leader, (gone, misled) = system.leader(), system.followers()
    assert leader is not None
    with trial.load(traders=4) as load:
        trial.wait_for_orders(load)
        system.links.mislead(system.replicas[int(misled.removeprefix("order-"))], system.replicas[leader])
        system.kill(gone)
        trial.let_pass(2)  # what was under way
        fooled = time.monotonic()
        trial.let_pass(12)
        trial.at_most("acknowledged alone", load.acknowledged_since(fooled), 0, "")
        outcomes = {request.outcome for request in load.errors()}
        assert outcomes == {Outcome.UNKNOWN}, outcomes
        healed = time.monotonic()
        system.links.heal()
        trial.wait_for_orders(load, since=healed)
        trial.at_most("orders again", time.monotonic() - healed, system.interval_s + FILLED_S)
    trial.all_settled(load)


@fault(PLANNED)
def replica_replaced(trial: Trial) -> None:
    """One goes for good; another one, with a new id and an empty directory, takes its entry."""
    system = trial.system
    with trial.load() as load:
        restarts = Restarts(trial, load)
        trial.wait_for_orders(load, 100)
        gone = system.followers()[0]
        system.processes[gone].terminate()
        wipe(system, gone)
        system.set_members([*(number for number in system.replicas if f"order-{number}" != gone), NEW_ID])
        system.restart(f"order-{NEW_ID}")
        trial.in_sync_within(f"order-{NEW_ID}", restarts.tell_members(), 2 * system.interval_s + FILLED_S)
        restarts.restart_all()
        trial.wait_for_orders(load, since=time.monotonic())
    restarts.measure_pauses()
