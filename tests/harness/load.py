"""Clients that trade and read all the time, as users with a key for each order would; all is recorded for the check."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from statistics import quantiles
from typing import Any

from tests.checker.history import Outcome, PlaceOrder
from tests.harness.cluster import Cluster
from tests.harness.recorder import SETTLED, Intent, Recorder


class Load:
    """Threads that trade and read, spread over the frontends, until stopped. Use it as a context manager.

    Attributes:
        recorder: what keeps the requests and answers.
        intents: the orders, in the sequence in which they were begun.
    """

    def __init__(
        self,
        recorder: Recorder,
        names: Sequence[str],
        *,
        traders: int = 8,
        readers: int = 0,
        count: int | None = None,
        seed: int = 1,
        quantities: Sequence[int] = (1, 2, 3),
        pause_s: float = 0.0,
        give_up_after_s: float = 60.0,
        prefix: str = "load",
    ) -> None:
        """Half of the orders are buys; each thread draws stocks and quantities from `seed` and its own place.

        Args:
            count: how many orders to place; None: until stopped.
            pause_s: before each order, or read, of one thread.
            give_up_after_s: how long an order is asked for, by its key.
        """
        self.recorder = recorder
        self._names = list(names)
        self._frontends = list(recorder.rests)
        self._count = count
        self._quantities = quantities
        self._pause_s = pause_s
        self._give_up_after_s = give_up_after_s
        self._prefix = prefix
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self.intents: list[Intent] = []  # appended under _lock
        self._errors: list[BaseException] = []
        self._threads = [self._thread(self._trade, place, seed) for place in range(traders)]
        self._threads += [self._thread(self._read, traders + place, seed) for place in range(readers)]

    @classmethod
    def on(cls, cluster: Cluster, **options: Any) -> "Load":
        """Return clients that trade all stocks of a cluster at all its frontends, and record it for themselves."""
        return cls(Recorder(cluster.rests), list(cluster.initial), **options)

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Begin nothing more, and wait until what was begun is settled or given up.

        Raises:
            AssertionError: a thread failed, or does not end.
        """
        self._stopping.set()
        self.join(self._give_up_after_s + 20)

    def join(self, within_s: float) -> None:
        """Wait until all `count` orders are settled or given up.

        Raises:
            AssertionError: they are not in this time, or a thread failed.
        """
        deadline = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        assert not self._errors, self._errors
        assert not any(thread.is_alive() for thread in self._threads), f"clients not done within {within_s} s"

    @property
    def acknowledged(self) -> list[Intent]:
        """The orders that got a transaction number so far."""
        return [intent for intent in list(self.intents) if intent.number is not None]

    def acknowledged_since(self, moment: float) -> int:
        """Return how many orders were begun and acknowledged after this moment."""
        return sum(intent.started > moment for intent in self.acknowledged)

    def longest_s(self, since: float = 0.0) -> float:
        """Return how long the slowest order took that ended after `since`, with all requests for it."""
        return max((one.ended - one.started for one in list(self.intents) if one.ended > since), default=0.0)

    def p99_s(self, since: float, until: float) -> float:
        """Return how long 99 of 100 orders took at most, of those acknowledged that were begun in this time."""
        orders = [one for one in self.acknowledged if since <= one.started < until]
        return quantiles([one.ended - one.started for one in orders], n=100)[-1]

    def requests(self) -> list[PlaceOrder]:
        """Return every request for an order so far."""
        return [request for intent in list(self.intents) for request in list(intent.requests)]

    def errors(self) -> list[PlaceOrder]:
        """Return the requests for orders that were answered neither with an order nor with a refusal."""
        return [request for request in self.requests() if request.outcome not in SETTLED]

    def unanswered(self) -> list[PlaceOrder]:
        """Return the requests for orders that were not answered at all."""
        return [request for request in self.requests() if request.outcome is Outcome.NO_ANSWER]

    def _thread(self, work: Callable[[int, random.Random], None], place: int, seed: int) -> threading.Thread:
        def run() -> None:
            try:
                work(place, random.Random(f"{seed}-{place}"))
            except BaseException as error:
                self._errors.append(error)
                raise

        return threading.Thread(target=run, name=f"client-{place}", daemon=True)

    def _trade(self, place: int, chance: random.Random) -> None:
        home = place % len(self._frontends)
        frontends = self._frontends[home:] + self._frontends[:home]
        while not self._stopping.wait(self._pause_s) and (intent := self._begin(chance)) is not None:
            self.recorder.settle(intent, frontends, self._give_up_after_s)

    def _begin(self, chance: random.Random) -> Intent | None:
        """Return the next order, None after the last."""
        with self._lock:
            if len(self.intents) == self._count:
                return None
            intent = Intent(
                key=f"{self._prefix}-{len(self.intents) + 1}",
                name=chance.choice(self._names),
                order_type=chance.choice(("buy", "sell")),
                quantity=chance.choice(self._quantities),
                started=time.monotonic(),
            )
            self.intents.append(intent)
            return intent

    def _read(self, _place: int, chance: random.Random) -> None:
        recorder = self.recorder
        while not self._stopping.wait(self._pause_s):
            frontend = chance.choice(self._frontends)
            known = [intent.number or 0 for intent in self.intents[-50:]]
            match chance.randrange(7):
                case 0 | 1:
                    recorder.read_stock(chance.choice(self._names), frontend)
                case 2 | 3:
                    recorder.read_stock(chance.choice(self._names), frontend, cached=True)
                case 4:
                    recorder.look_up(max(1, max(known, default=1) + chance.randint(-3, 1)), frontend)
                case 5:
                    recorder.list_orders(chance.randint(1, 20), frontend, pages=chance.randint(1, 3))
                case _:
                    after = max(0, max(known, default=0) - chance.randint(0, 30))
                    names = chance.sample(self._names, chance.randint(0, 2))
                    recorder.list_orders(chance.randint(1, 20), frontend, pages=2, names=names, after_number=after)
