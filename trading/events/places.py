"""How many streams of events may be open: in all, and for each account."""

import threading
from collections import Counter

from common.calls.reasons import Reason
from trading.api.errors import ApiError

# Of streams that hold a thread each, as under `manage.py runserver`: not more than a process bears besides its work.
MOST_THREADS = 48


class Places:
    """Counts them. Any number of threads may use it."""

    def __init__(self, most: int, most_per_account: int) -> None:
        self._most = most
        self._most_per_account = most_per_account
        self._lock = threading.Lock()
        self._taken = 0  # guarded by _lock
        self._by_account: Counter[str] = Counter()  # only accounts that have one; guarded by _lock

    @property
    def taken(self) -> int:
        """How many are taken."""
        return self._taken

    def take(self, account: str | None, *, holds_thread: bool = False) -> None:
        """Take a place; whoever has it must leave it. Without authentication there is no account.

        Raises:
            ApiError: OVERLOADED, naming the bound that was hit.
        """
        with self._lock:
            if self._taken >= self._most:
                raise _none_is_left(f"All {self._most} places for streams of events are taken (BOURSE_EVENT_STREAMS).")
            if holds_thread and self._taken >= MOST_THREADS:
                message = f"All {MOST_THREADS} places for streams of events are taken: each holds a thread here."
                raise _none_is_left(message)
            if account is not None:
                if self._by_account[account] >= self._most_per_account:
                    message = f"Account {account!r} has {self._most_per_account} streams of events open"
                    raise _none_is_left(f"{message}, the most for one (BOURSE_EVENT_STREAMS_PER_ACCOUNT).")
                self._by_account[account] += 1
            self._taken += 1

    def leave(self, account: str | None) -> None:
        """Give a place back that was taken for this account."""
        with self._lock:
            self._taken -= 1
            if account is not None:
                self._by_account[account] -= 1
                self._by_account += Counter()  # forgets those that have none


def _none_is_left(message: str) -> ApiError:
    return ApiError(Reason.OVERLOADED, message)
