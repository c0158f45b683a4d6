"""What a fault does to a running system, what is measured then, and the list of all faults."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

from deploy.systems.waiting import wait_until
from tests.chaos.repair import wipe
from tests.chaos.system import System
from tests.checker.history import Outcome, PlaceOrder, ShownOrder
from tests.harness.load import Load
from tests.harness.preload import preload
from tests.harness.recorder import Intent, Recorder

# Now and then an order that may be refused.
QUANTITIES = (1, 1, 2, 2, 3, 3, 60)
HOT_STOCKS = 8  # so few that orders meet
PAST_READ_WITHIN_S = 90.0  # by all processes, also on a busy machine


@dataclass(frozen=True)
class Measurement:
    """What was measured, against what it may be at most; `inf`: it has no bound."""

    what: str
    value: float
    most: float
    unit: str = "s"

    @property
    def is_missed(self) -> bool:
        """Whether the bound was exceeded."""
        return self.value > self.most

    def __str__(self) -> str:
        mark = " MISSED" if self.is_missed else ""
        bound = f" (<= {self.most:g}{self.unit})" if self.most < inf else ""
        return f"{self.what} {self.value:.3g}{self.unit}{bound}{mark}"


class Trial:
    """What a fault's function is given: a running system, clients with a history, and a source of chance.

    Attributes:
        measurements: what was measured so far.
        orders_before: how many orders were there before the first recorded one.
    """

    def __init__(self, system: System, chance: random.Random) -> None:
        self.system = system
        self.chance = chance
        self.recorder = Recorder(system.rests)
        self.measurements: list[Measurement] = []
        self.orders_before = 0
        self._keys = 0

    @property
    def stocks(self) -> list[str]:
        """The names that are traded."""
        return list(self.system.initial)[:HOT_STOCKS]

    def load(self, **arguments: Any) -> Load:
        """Return clients that trade and read; see Load."""
        usual: dict[str, Any] = {"traders": 6, "readers": 1, "pause_s": 0.03, "quantities": QUANTITIES}
        seed = self.chance.randrange(1 << 30)
        return Load(self.recorder, self.stocks, seed=seed, prefix=self._key(), **usual | arguments)

    def intent(self, order_type: str = "sell", quantity: int = 1, name: str | None = None) -> Intent:
        """Return a new order to ask for: by default one that is always filled."""
        return Intent(self._key(), name or self.chance.choice(self.stocks), order_type, quantity)

    def place(self, intent: Intent | None = None, frontend: str = "frontend") -> PlaceOrder:
        """Ask once for an order, a new one if none is given."""
        return self.recorder.place(intent or self.intent(), frontend)

    def at_most(self, what: str, value: float, most: float, unit: str = "s") -> None:
        """Note what was measured, and what it may be at most."""
        self.measurements.append(Measurement(what, value, most, unit))

    def begin_without(self, empty: str, orders: int) -> None:
        """Let the system trade with a long past, that of replica `empty` aside: it is down, with an empty directory."""
        system = self.system
        assert system.rest.place(self.stocks[0], "sell", 1).status_code == 201  # not recorded: it precedes the history
        system.wait_until(system.all_in_sync, 10, "all in sync")
        system.stop_all()
        preload(system, orders, without=[int(empty.removeprefix("order-"))])
        self.orders_before = orders
        wipe(system, empty)
        for name in system.processes.keys() - {empty}:
            system.restart(name)
        wait_until(
            lambda: system.leader() and system.frontends_are_open(), PAST_READ_WITHIN_S, "a leader and the frontends"
        )

    def orders_go_on(self, load: Load, since: float, most_s: float) -> None:
        """Wait until orders begun after `since` are acknowledged; measure the slowest of those that ended after it."""
        self.wait_for_orders(load, since=since)
        self.at_most("slowest order", load.longest_s(since), most_s)

    def no_errors(self, load: Load) -> None:
        """Measure how many requests for orders got neither an order nor a refusal: there may be none."""
        self.at_most("errors", len(load.errors()), 0, "")

    def no_failed_reads(self) -> None:
        """Measure how many reads were answered with 503, or not at all: there may be none."""
        self.at_most("failed reads", self.recorder.failed_reads, 0, "")

    def all_settled(self, load: Load) -> None:
        """Measure how many orders were given up without an answer: there may be none."""
        self.at_most("orders given up", sum(not intent.is_settled for intent in load.intents), 0, "")

    def in_sync_within(self, name: str, since: float, most_s: float) -> None:
        """Wait until a replica is in sync, and measure how long after `since` that was."""
        wait_until(lambda: self.system.in_sync(name), most_s + 20, f"{name} in sync")
        self.at_most(f"{name} in sync", time.monotonic() - since, most_s)

    def let_pass(self, seconds: float) -> None:
        """Let time pass while the fault lasts."""
        until = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() >= until, seconds + 5, "time to pass")

    def wait_for_orders(self, load: Load, count: int = 20, since: float = 0.0) -> None:
        """Wait until so many orders begun after `since` were acknowledged."""
        wait_until(lambda: load.acknowledged_since(since) >= count, 30, f"{count} orders")

    def trading_again(self, load: Load, since: float, most_s: float) -> None:
        """Wait until an order begun after `since` is acknowledged, and measure how long after it that was."""
        wait_until(lambda: load.acknowledged_since(since), most_s + 30, "an order")
        self.at_most("trading again", time.monotonic() - since, most_s)

    def refused(self) -> None:
        """Ask for an order that nobody may make now."""
        request = self.place()
        assert request.outcome in (Outcome.NOT_EXECUTED, Outcome.UNKNOWN), request

    def still_served(self, number: int) -> None:
        """Look up an order that was made; every frontend must find it."""
        for name, rest in self.system.rests.items():
            response = rest.get(f"/orders/{number}")
            assert response.status_code == 200, (name, response.text)

    def orders_placed(self) -> list[ShownOrder]:
        """Return the orders that were answered so far."""
        placed = [one for one in self.recorder.operations if isinstance(one, PlaceOrder)]
        return [one.order for one in placed if one.order is not None]

    def _key(self) -> str:
        self._keys += 1
        return f"k{self._keys}"


@dataclass(frozen=True)
class Fault:
    """A fault of the table.

    Attributes:
        name: for the command line.
        group: the line of the table.
        act: does it; the system is up before, and brought up again afterwards.
        environment: what the processes are started with.
    """

    name: str
    group: str
    act: Callable[[Trial], None]
    environment: Mapping[str, str] = field(default_factory=dict)


FAULTS: dict[str, Fault] = {}


def fault(group: str, **environment: str) -> Callable[[Callable[[Trial], None]], Callable[[Trial], None]]:
    """Register a function as a fault, under its name with dashes."""

    def register(act: Callable[[Trial], None]) -> Callable[[Trial], None]:
        name = act.__name__.replace("_", "-")
        assert name not in FAULTS, name
        FAULTS[name] = Fault(name, group, act, environment)
        return act

    return register
