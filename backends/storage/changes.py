"""Which stocks changed since a reader last asked."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from itertools import takewhile

from backends.storage.values import Changes


class ChangeFeed:
    """The stocks by the moment of their last change.

    Only the last change of a stock is kept, so the memory is bounded by the number of stocks and no cursor of this run
    is ever too old. A cursor is `run_id`, a dot and a sequence number: one of another run is answered with a reset.
    Any number of threads may publish, ask and wait.
    """

    def __init__(self, run_id: str) -> None:
        """`run_id` must differ from that of every other run, and hold no dot."""
        self._run_id = run_id
        self._condition = threading.Condition()
        self._sequence = 0  # guarded by _condition, like all below
        self._last_changes: OrderedDict[str, int] = OrderedDict()  # ascending by sequence

    def publish(self, names: Iterable[str]) -> None:
        """Record that these stocks changed and wake who waits.

        The caller holds the write lock of the stocks: nobody can read the new value before its change is recorded, so
        a cache that was told of no change holds nothing older than its question.
        """
        with self._condition:
            self._sequence += 1
            for name in names:
                self._last_changes[name] = self._sequence
                self._last_changes.move_to_end(name)
            self._condition.notify_all()

    def since(self, cursor: str) -> Changes:
        """Return the changes since the cursor, at once. A cursor that is empty or not ours is answered with a reset."""
        with self._condition:
            after = self._parse(cursor)
            here = f"{self._run_id}.{self._sequence}"
            if after is None:
                return Changes([], here, reset=True)
            changed = reversed(self._last_changes.items())
            return Changes([name for name, _ in takewhile(lambda item: item[1] > after, changed)], here, reset=False)

    def wait_for_news(self, cursor: str, timeout_s: float) -> bool:
        """Wait until `since` has an answer other than "nothing", at most `timeout_s`; return whether it has."""
        with self._condition:
            return self._condition.wait_for(lambda: self._is_news(cursor), timeout_s)

    def _is_news(self, cursor: str) -> bool:
        after = self._parse(cursor)
        return after is None or after < self._sequence

    def _parse(self, cursor: str) -> int | None:
        run_id, _, sequence = cursor.rpartition(".")
        if run_id != self._run_id or not sequence.isascii() or not sequence.isdigit() or len(sequence) > 20:
            return None
        after = int(sequence)
        return after if after <= self._sequence else None
