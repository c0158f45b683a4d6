"""The requests that clients send, and the stocks they are about."""

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.load_client import get_request, post_request

# Enough of each that no order is ever refused, whatever the machine can do.
INITIAL_QUANTITY = 10**12
HOT = ["HOT"]
TEN = [f"TEN-{number}" for number in range(10)]
STOCKS = [*HOT, *TEN]
HOST = "localhost"
_runs = itertools.count(1)


def write_seed(path: Path, names: Sequence[str] = STOCKS) -> None:
    """Write the seed file of the stocks."""
    lines = ["name,price,quantity", *(f"{name},123.45,{INITIAL_QUANTITY}" for name in names)]
    path.write_text("\n".join(lines) + "\n")


def order_requests(names: Sequence[str], token: str | None = None) -> Callable[[], bytes]:
    """Return what makes the next order: buys and sells of one share by turns, through the names, each with a new key.

    Keys are as long as those that the frontend makes itself, 32 characters. `token` is the caller's; None: it has none.
    """
    run = next(_runs)
    bodies = [
        json.dumps({"name": name, "type": order_type, "quantity": 1}).encode()
        for order_type in ("buy", "sell")
        for name in names
    ]
    numbers = itertools.count()

    def make() -> bytes:
        number = next(numbers)
        return post_request("/orders", HOST, bodies[number % len(bodies)], f"bench-{run:06d}-{number:019d}", token)

    return make


def look_up_requests(path: str, token: str | None = None) -> Callable[[], bytes]:
    """Return what makes the same GET again and again."""
    request = get_request(path, HOST, token)
    return lambda: request
