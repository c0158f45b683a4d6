"""How large the journeys are: quick ones in `make test`, those in full size in `make journeys`.

Bounds on time are sized too: what runs beside others, on whatever machine, must hold on a busy one.
"""

import os
from typing import TypeVar

Number = TypeVar("Number", int, float)

FULL = os.environ.get("BOURSE_TEST_SIZE") == "full"


def sized(quick: Number, full: Number) -> Number:
    """Return the number for this run."""
    return full if FULL else quick
