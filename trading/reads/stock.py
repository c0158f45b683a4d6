"""A stock as the frontend knows it."""

from typing import NamedTuple


class Stock(NamedTuple):
    """Price and quantity of one stock at one moment; immutable.

    `price_cents` is 1 to 10^11, `quantity` (shares left) 0 to 10^15.
    """

    name: str
    price_cents: int
    quantity: int
