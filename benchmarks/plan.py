"""How much is measured."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from deploy.systems.checkout import THIS, Checkout


@dataclass(frozen=True)
class Plan:
    """One benchmark.

    Attributes:
        rounds: of everything that is interleaved.
        seconds: of each run under load.
        stock_counts: on how many stocks part b trades.
        failovers: rounds of killing and of freezing the leader.
        sizes: numbers of orders that systems have grown to.
        memory_sizes: further numbers, for starts and memory of single processes alone. The catalog knows the keys of at
            least the last 1,000,000 orders: only what an order costs beyond those lasts. It forgets 80,000 at a time,
            and knows equally many at any two multiples of that.
        catch_up_orders: how many an empty replica lacks.
        streams: of events, open at once.
        unfinished: connections with half a request, open at once.
        burst: orders that are sent at once.
        checkouts: whose systems are measured: this one, and another one that it is compared with.
    """

    rounds: int = 3
    seconds: float = 2.0
    get_clients: Sequence[int] = (1, 8, 32)
    order_clients: Sequence[int] = (1, 8, 32, 128)
    stock_counts: Sequence[int] = (1, 10)
    direct_clients: Sequence[int] = (1, 8, 32)
    probabilities: Sequence[float] = (0.0, 0.2, 0.4, 0.6, 0.8)
    failovers: int = 20
    sizes: Sequence[int] = (10**3, 10**4, 10**5, 10**6)
    memory_sizes: Sequence[int] = (1_200_000, 2_400_000)
    catch_up_orders: int = 10**6
    streams: int = 2000
    unfinished: int = 5000
    burst: int = 1000
    checkouts: Sequence[Checkout] = (THIS,)

    @property
    def is_comparison(self) -> bool:
        """Whether this checkout is compared with another one, instead of with peers."""
        return len(self.checkouts) > 1

    def grown_to(self, largest: int | None) -> "Plan":
        """Return this plan with a system of so many orders too; None: the plan as it is."""
        if largest is None:
            return self
        smaller = [size for size in self.sizes if size < largest]
        return replace(self, sizes=(*smaller, largest), memory_sizes=[n for n in self.memory_sizes if n > largest])


FULL = Plan()
QUICK = Plan(
    rounds=1,
    seconds=0.5,
    get_clients=(8,),
    order_clients=(8, 32),
    stock_counts=(1,),
    direct_clients=(8,),
    probabilities=(0.0, 0.4),
    failovers=2,
    sizes=(10**3, 10**5),
    memory_sizes=(),
    catch_up_orders=10**5,
    streams=40,
    unfinished=200,
    burst=100,
)
