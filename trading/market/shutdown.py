"""That this process is stopping: what is under way is finished, no new order is begun."""

import threading

from common.calls.reasons import Reason
from trading.api.errors import ApiError

_begun = threading.Event()


def begin_shutdown() -> None:
    """Have every order that begins from now on refused. Orders under way go on. Any thread may call it."""
    _begun.set()


def refuse_if_stopping() -> None:
    """Refuse what has not begun: the server waits a limited time for what is under way, and cuts the rest off.

    Raises:
        ApiError: SHUTTING_DOWN.
    """
    if _begun.is_set():
        raise ApiError(Reason.SHUTTING_DOWN, "This frontend is stopping; nothing was done.")
