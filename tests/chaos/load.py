"""Clients that trade and read all the time, spread over the frontends, while something breaks."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from statistics import quantiles

from tests.chaos.recorder import SETTLED, Intent, Recorder
from tests.checker.history import PlaceOrder

# Now and then one that may be refused.
QUANTITIES = (1, 1, 2, 2, 3, 3, 60)


class Load:
    """Threads that trade and read, spread over the frontends, until stopped. Use it as a context manager."""

    def __init__(
        self,
        recorder: Recorder,
        names: Sequence[str],
        *,
        seed: int,
        traders: int = 6,
        readers: int = 1,
        pause_s: float = 0.03,
        give_up_after_s: float = 60.0,
        prefix: str = "load",
    ) -> None:
        """Half of the orders are buys, some of them too large; each thread draws from `seed` and its own place.

        Args:
            pause_s: between the orders, or the reads, of one thread.
            give_up_after_s: how long an order is asked for, by its key.
        """
        self._recorder = recorder
        self._names = list(names)
        self._frontends = list(recorder.rests)
        self._pause_s = pause_s
        self._give_up_after_s = give_up_after_s
        self._prefix = prefix
        self._stopping = threading.Event()
        self.intents: list[Intent] = []  # appended by any trader, in the order in which they were begun
        self._errors: list[BaseException] = []
        self._threads = [self._thread(self._trade, place, seed) for place in range(traders)]
        self._threads += [self._thread(self._read, traders + place, seed) for place in range(readers)]

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
        deadline = time.monotonic() + self._give_up_after_s + 20
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        assert not self._errors, self._errors
        assert not any(thread.is_alive() for thread in self._threads), "clients do not end"

    def acknowledged_since(self, moment: float) -> int:
        """Return how many orders were begun and acknowledged after this moment."""
        return sum(intent.started > moment and intent.number is not None for intent in list(self.intents))

    def longest_s(self, since: float = 0.0) -> float:
        """Return how long the slowest order took that ended after `since`, with all requests for it."""
        return max((one.ended - one.started for one in list(self.intents) if one.ended > since), default=0.0)

    def p99_s(self, since: float, until: float) -> float:
        """Return how long 99 of 100 orders took at most, of those acknowledged that were begun in this time."""
        orders = [one for one in list(self.intents) if since <= one.started < until and one.number is not None]
        return quantiles([one.ended - one.started for one in orders], n=100)[-1]

    def errors(self) -> list[PlaceOrder]:
        """Return the requests for orders that were answered neither with an order nor with a refusal."""
        requests = [request for intent in list(self.intents) for request in list(intent.requests)]
        return [request for request in requests if request.outcome not in SETTLED]

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
        count = 0
        while not self._stopping.wait(self._pause_s):
            count += 1
            intent = Intent(
                key=f"{self._prefix}-{place}-{count}",
                name=chance.choice(self._names),
                order_type=chance.choice(("buy", "sell")),
                quantity=chance.choice(QUANTITIES),
                started=time.monotonic(),
            )
            self.intents.append(intent)
            self._recorder.settle(intent, frontends, self._give_up_after_s)

    def _read(self, _place: int, chance: random.Random) -> None:
        recorder = self._recorder
        while not self._stopping.wait(self._pause_s):
            frontend = chance.choice(self._frontends)
            known = [intent.number or 0 for intent in self.intents[-50:]]
            match chance.randrange(6):
                case 0 | 1:
                    recorder.read_stock(chance.choice(self._names), frontend)
                case 2 | 3:
                    recorder.read_stock(chance.choice(self._names), frontend, cached=True)
                case 4:
                    recorder.look_up(max(1, max(known, default=1) + chance.randint(-3, 1)), frontend)
                case _:
                    recorder.list_orders(chance.randint(1, 20), frontend)
