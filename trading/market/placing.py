"""The way of one order through failures: docs/PROTOCOL.md, "The order path", step 1."""

from collections.abc import Callable
from math import inf

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason, Verdict
from common.calls.steps import Pause, Steps
from protos import order_pb2
from trading.replicas.election import LeaderAndEpoch

FIRST_PAUSE_S = 0.02
LONGEST_PAUSE_S = 0.4
LEAST_TIME_S = 0.05

# Finds the leadership to try: the first, or the one after a leadership failed. May raise RpcFailure.
Find = Callable[[tuple[LeaderAndEpoch, RpcFailure] | None, float], Steps[LeaderAndEpoch]]
# Sends the order once to a leadership; may raise RpcFailure. The float is the deadline.
Attempt = Callable[[LeaderAndEpoch, float], Steps[order_pb2.PlaceOrderResponse]]


class Placing:
    """One order: attempts with one key until it is placed, refused, or its time is up.

    Invariant: once an attempt ended without word that nothing was done, `_maybe_executed` stays true, and the only
    ends left are the order, a final refusal, and "unknown".
    """

    def __init__(self, find: Find, attempt: Attempt, monotonic: Callable[[], float], deadline: float) -> None:
        self._find = find
        self._attempt = attempt
        self._monotonic = monotonic
        self._deadline = deadline
        self._maybe_executed = False
        self._too_few_replicas = False  # the last answer was that it is decided, but held by too few
        self._trouble: tuple[str, float] | None = None  # the present trouble, as callers know it, and since when
        self._has_looked_elsewhere = False  # for a leader that reaches the catalog
        self._pause_s = FIRST_PAUSE_S

    @property
    def may_be_executed(self) -> bool:
        """Whether an attempt so far may have executed the order."""
        return self._maybe_executed

    def steps(self) -> Steps[order_pb2.PlaceOrderResponse]:
        """Return the order, placed now or replayed.

        Raises:
            RpcFailure: the last word on the order: a refusal, or that nothing was executed, or OUTCOME_UNKNOWN or
                NOT_REPLICATED. Its reason says which (`may_be_executed`), whatever came before.
        """
        failed: tuple[LeaderAndEpoch, RpcFailure] | None = None
        while True:
            try:
                leadership = yield from self._find(failed, self._deadline)
            except RpcFailure as failure:
                self._end_if_over(failure)
                failed = None
                yield self._next_pause()
                continue
            if failed is not None and leadership == failed[0]:
                yield self._next_pause()  # healthy, so it was slow: do not press it
            try:
                return (yield from self._attempt(leadership, self._deadline))
            except RpcFailure as failure:
                self._note(failure)
                replaces = self._calls_for_replacement(failure)
                failed = (leadership, failure) if replaces else None
                # However long the attempts took: no order is given up before another leader was looked for.
                looks_first = replaces and failure.reason is Reason.CATALOG and not self._has_looked_elsewhere
                self._has_looked_elsewhere = self._has_looked_elsewhere or looks_first
                self._end_if_over(failure, is_patient=looks_first)
            if failed is None:
                yield self._next_pause()

    def _note(self, failure: RpcFailure) -> None:
        """Keep what an attempt's failure says of the order."""
        self._maybe_executed = self._maybe_executed or failure.may_be_executed
        if failure.was_answered:
            self._too_few_replicas = failure.reason is Reason.TOO_FEW_REPLICAS

    def _calls_for_replacement(self, failure: RpcFailure) -> bool:
        after_s = failure.reason.replaces_after_s
        return after_s is not None and self._trouble_age_s(failure) >= after_s

    def _end_if_over(self, failure: RpcFailure, *, is_patient: bool = False) -> None:
        """Raise the last word if there is nothing more to try, or no time; with `is_patient` only for the latter."""
        reason = failure.reason
        age_s = self._trouble_age_s(failure)
        if reason.verdict is Verdict.FINAL:
            raise failure
        is_over = self._monotonic() + LEAST_TIME_S >= self._deadline or reason.is_lasting
        if self._maybe_executed:
            if is_over:
                unknown = Reason.NOT_REPLICATED if self._too_few_replicas else Reason.OUTCOME_UNKNOWN
                message = f"It is not known whether the order was executed: {failure.message}"
                raise RpcFailure(unknown, message) from failure
        elif (age_s >= reason.patience_s and not is_patient) or is_over:
            if reason.patience_s == inf and not reason.is_lasting:
                message = f"no leader took the order in its time: {failure.message}"
                raise RpcFailure(Reason.NO_LEADER, message) from failure
            raise failure

    def _trouble_age_s(self, failure: RpcFailure) -> float:
        """Return for how long the same trouble has been met without another between."""
        name = failure.reason.told_as
        now = self._monotonic()
        if self._trouble is None or self._trouble[0] != name:
            self._trouble = (name, now)
        return now - self._trouble[1]

    def _next_pause(self) -> Pause:
        left_s = max(0.0, self._deadline - self._monotonic())
        pause_s = min(self._pause_s, left_s)
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        return Pause(pause_s)
