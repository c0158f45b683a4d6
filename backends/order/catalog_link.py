"""A replica's line to the catalog: whether it answers, and the procedures that several parts need."""

import math
from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message

from backends.failures import CatalogUnavailable
from common.calls.failures import RpcFailure
from common.calls.steps import Call, Steps
from protos import catalog_pb2

HEALTH_TIMEOUT_S = 0.5
CALL_TIMEOUT_S = 1.0
# A catalog that answered this short a time ago is taken for alive, and a batch is sent without asking first.
FRESH_S = 1.0


class CatalogLink:
    """Calls to the catalog, and when it last answered. Any thread may use it."""

    def __init__(self, address: str, monotonic: Callable[[], float]) -> None:
        self.address = address
        self._monotonic = monotonic
        self._heard_at = -math.inf  # when it last answered anything, an error included
        self._answered_last = True

    @property
    def is_reachable(self) -> bool:
        """Whether the last call was answered."""
        return self._answered_last

    @property
    def heard_ms(self) -> int | None:
        """How long ago it last answered, rounded up; None: it never did."""
        return None if self._heard_at == -math.inf else math.ceil(1000 * (self._monotonic() - self._heard_at))

    @property
    def is_fresh(self) -> bool:
        """Whether it answered a call within the last second."""
        return self._answered_last and self._monotonic() - self._heard_at <= FRESH_S

    def call(self, request: Message, timeout_s: float = CALL_TIMEOUT_S) -> Steps[Any]:
        """Make one call.

        Raises:
            RpcFailure: what the catalog answered.
            CatalogUnavailable: it did not answer; nobody knows what became of the call.
        """
        try:
            answer = yield Call(self.address, request, timeout_s)
        except RpcFailure as failure:
            if failure.was_answered and not failure.reason.is_busy:
                self._heard()
                raise
            self._answered_last = False
            raise CatalogUnavailable("the catalog does not answer") from failure
        self._heard()
        return answer

    def health(self) -> Steps[catalog_pb2.CatalogHealthResponse]:
        """Ask for the catalog's health; raises as `call`."""
        answer: catalog_pb2.CatalogHealthResponse = yield from self.call(
            catalog_pb2.CatalogHealthRequest(), HEALTH_TIMEOUT_S
        )
        return answer

    def _heard(self) -> None:
        self._heard_at = self._monotonic()
        self._answered_last = True
