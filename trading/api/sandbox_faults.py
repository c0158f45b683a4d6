"""Failures that a client may ask for, to test itself: header X-Sandbox-Fault on POST /orders, in sandboxes only."""

import re
import time
from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest

from common.calls.reasons import Reason
from trading.api.errors import ApiError, shown

HEADER = "X-Sandbox-Fault"
MOST_DELAY_MS = 30_000
_DELAY = re.compile(r"delay=([0-9]{1,5})")


class Fault(NamedTuple):
    """What goes wrong with one order."""

    delay_ms: int = 0
    is_rejected: bool = False
    loses_reply: bool = False

    def before_order(self) -> None:
        """Refuse the order in place of the system.

        Raises:
            ApiError: NO_LEADER, if that was asked for.
        """
        if self.is_rejected:
            raise ApiError(Reason.NO_LEADER, f"The order was rejected as the header {HEADER} asked.")

    def after_order(self) -> None:
        """Keep back the answer to an order that was made: for some time, or for good.

        Raises:
            ApiError: OUTCOME_UNKNOWN, if that was asked for.
        """
        if self.delay_ms:  # even a sleep of 0 gives the interpreter's lock away
            time.sleep(self.delay_ms / 1000)
        if self.loses_reply:
            raise ApiError(Reason.OUTCOME_UNKNOWN, f"The answer was lost as the header {HEADER} asked.")


NO_FAULT = Fault()


def read_fault(request: HttpRequest) -> Fault:
    """Return what a request asks for.

    Raises:
        ApiError: VALIDATION_FAILED: there is no such failure, or nobody may ask for one: BOURSE_SANDBOX_FAULTS is off.
            An order that was made though it was to fail would be one that nobody wanted.
    """
    text = request.headers.get(HEADER)
    if text is None:
        return NO_FAULT
    if not settings.SANDBOX_FAULTS:
        raise _refusal(f"The header {HEADER} is not looked at here: BOURSE_SANDBOX_FAULTS is off.")
    if text == "reject=NO_LEADER":
        return Fault(is_rejected=True)
    if text == "lose-reply":
        return Fault(loses_reply=True)
    match = _DELAY.fullmatch(text)
    if match is None or int(match[1]) > MOST_DELAY_MS:
        raise _refusal(
            f"The header {HEADER} says {shown(text)}:"
            f" neither delay=<0 to {MOST_DELAY_MS} milliseconds> nor reject=NO_LEADER nor lose-reply."
        )
    return Fault(delay_ms=int(match[1]))


def _refusal(message: str) -> ApiError:
    return ApiError(Reason.INVALID_ARGUMENT, message, [{"field": HEADER, "message": message}])
