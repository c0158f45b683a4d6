"""How large the journeys are: quick ones in `make test`, those in full size in `make journeys`."""

import os

FULL = os.environ.get("BOURSE_TEST_SIZE") == "full"


def sized(quick: int, full: int) -> int:
    """Return the number for this run."""
    return full if FULL else quick
