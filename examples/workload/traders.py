"""The clients of the workload: they look random stocks up, trade with a probability, and check their orders at last."""

import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from examples.client import BourseError, Client, Order


@dataclass(frozen=True)
class Sample:
    """One request as its client saw it: when it began (seconds from the start), how long it took, what it was.

    Attributes:
        what: "look-up" or "order".
        result: of a look-up HIT, MISS or BYPASS; of an order "placed", or the reason why not.
    """

    at_s: float
    seconds: float
    what: str
    result: str


@dataclass
class Session:
    """What one client did.

    Attributes:
        checked: how many of its orders it looked up again at the end.
        wrong: those that were not as they had been acknowledged, in words.
    """

    samples: list[Sample] = field(default_factory=list)
    checked: int = 0
    wrong: list[str] = field(default_factory=list)


def trade(
    url: str,
    names: Sequence[str],
    *,
    clients: int,
    probability: float,
    seconds: float,
    seed: int,
    began: float | None = None,
) -> list[Session]:
    """Let so many clients trade for some time, each in a thread; return what each did.

    The samples' times count from `began` (monotonic), where the given time begins too; None: from now.

    Each round of a client looks up a random stock; if it has shares, a buy or a sell of one follows with the given
    probability.
    """
    callers = [Client(url) for _ in range(clients)]
    origin = time.monotonic() if began is None else began
    with ThreadPoolExecutor(clients) as pool:
        futures = [
            pool.submit(_session, caller, names, probability, origin, seconds, random.Random(f"{seed}-{number}"))
            for number, caller in enumerate(callers)
        ]
        return [future.result() for future in futures]


def _session(
    caller: Client, names: Sequence[str], probability: float, began: float, seconds: float, chance: random.Random
) -> Session:
    session, acknowledged = Session(), []
    with caller as bourse:
        while (at := time.monotonic()) < began + seconds:
            stock = bourse.stock(chance.choice(names))
            session.samples.append(Sample(at - began, time.monotonic() - at, "look-up", stock.cache))
            if stock.quantity == 0 or chance.random() >= probability:
                continue
            at = time.monotonic()
            try:
                acknowledged.append(bourse.place(stock.name, chance.choice(["buy", "sell"]), 1))
                result = "placed"
            except BourseError as error:
                result = error.reason
            session.samples.append(Sample(at - began, time.monotonic() - at, "order", result))
        _check(bourse, acknowledged, session)
    return session


def _check(bourse: Client, acknowledged: Sequence[Order], session: Session) -> None:
    """Compare each order with what the server has under its number."""
    for order in acknowledged:
        session.checked += 1
        if (found := bourse.order(order.number)) != order:
            session.wrong.append(f"acknowledged {order}, found {found}")
