"""How much is measured."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """One benchmark.

    Attributes:
        rounds: of everything that is interleaved.
        seconds: of each run under load.
        failovers: rounds of killing and of freezing the leader.
        sizes: numbers of orders that the system has grown to.
    """

    rounds: int = 3
    seconds: float = 2.0
    get_clients: Sequence[int] = (1, 8, 32)
    order_clients: Sequence[int] = (1, 8, 32, 128)
    direct_clients: Sequence[int] = (1, 8, 32)
    probabilities: Sequence[float] = (0.0, 0.2, 0.4, 0.6, 0.8)
    failovers: int = 20
    sizes: Sequence[int] = (10**3, 10**4, 10**5, 10**6)


FULL = Plan()
QUICK = Plan(
    rounds=1,
    seconds=0.7,
    get_clients=(8,),
    order_clients=(8, 32),
    direct_clients=(8,),
    probabilities=(0.0, 0.4),
    failovers=2,
    sizes=(10**3, 10**5),
)
