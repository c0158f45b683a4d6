"""Whether a health loop looks at this process."""

from collections.abc import Callable

# A health loop may be late, and starts later than a replica: only after so long without one there is none.
UNWATCHED_S = 60.0


class Watched:
    """Notes the looks of health loops. Any thread may use it: what is lost of two notes at once is one of them."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Begin at the start of the process."""
        self._monotonic = monotonic
        self._until = monotonic()  # as the loop has promised

    def note(self, watch_s: int) -> None:
        """Note that a health loop has looked, and does so again within `watch_s`; 0: it was somebody else."""
        if watch_s > 0:
            self._until = self._monotonic() + watch_s

    def state(self) -> bool | None:
        """Return whether one looks; None if none does, for less than UNWATCHED_S."""
        unwatched_s = self._monotonic() - self._until
        if unwatched_s < 0:
            return True
        return False if unwatched_s >= UNWATCHED_S else None
