"""Look-ups of orders that wait at the same time share one call, as orders do (trading/market/gatherer.py).

The call is about the first of them. The replica adds those of the others that it holds; who is not among them asks for
itself, as nobody but a call of its own can say that an order does not exist.
"""

import threading
from collections import deque
from collections.abc import Callable

from common.calls.failures import RpcFailure
from common.calls.steps import Start, Steps, Wait
from common.process.latch import Latch
from protos import order_pb2

PER_CALL = 100
# One is slow, perhaps because its replica has to ask the catalog: the other goes on.
MOST_SENDERS = 2

# Asks for an order, and adds what else is held of the others; may raise RpcFailure.
Ask = Callable[[int, list[int]], Steps[order_pb2.LookUpOrderResponse]]


class _LookUp:
    """One order that is looked up. `is_done` says that it was found, has failed, or must be asked for alone."""

    __slots__ = ("is_done", "number", "result")

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_done = Latch()
        self.result: order_pb2.Order | RpcFailure | None = None

    def end(self, result: order_pb2.Order | RpcFailure | None) -> None:
        self.result = result
        self.is_done.set()


class LookUps:
    """Gathers look-ups. Any number of threads, or an event loop beside them, may use it."""

    def __init__(self, ask: Ask, wait_s: float) -> None:
        """`wait_s`: how long a look-up waits for a call that others share, before it asks for itself."""
        self._ask = ask
        self._wait_s = wait_s
        self._lock = threading.Lock()
        self._waiting: deque[_LookUp] = deque()  # guarded by _lock
        self._senders = 0  # guarded by _lock

    def look_up(self, number: int) -> Steps[order_pb2.Order]:
        """Return the order. Raises what `ask` raises."""
        one = _LookUp(number)
        with self._lock:
            self._waiting.append(one)
            begins = self._senders < MOST_SENDERS
            self._senders += begins
        if begins:
            yield Start(self._send_all())
        yield Wait(one.is_done, self._wait_s)
        result = one.result
        if isinstance(result, RpcFailure):
            raise result
        if result is None:
            response = yield from self._ask(number, [])
            return response.order
        return result

    def _send_all(self) -> Steps[None]:
        """Ask for what waits, call after call, until nothing does."""
        try:
            while batch := self._take():
                yield from self._send(batch)
        except BaseException:
            with self._lock:
                self._senders -= 1
            raise

    def _send(self, batch: list[_LookUp]) -> Steps[None]:
        first, *others = batch
        held: dict[int, order_pb2.Order] = {}
        try:
            response = yield from self._ask(first.number, [one.number for one in others])
            held = {order.transaction_number: order for order in response.also}
            first.end(response.order)
        except RpcFailure as failure:
            first.end(failure)
        finally:  # an unforeseen error leaves nobody waiting
            for one in batch:
                if not one.is_done.is_set():
                    one.end(held.get(one.number))

    def _take(self) -> list[_LookUp]:
        """Return the look-ups of the next call; none: the sender is to leave off, and counts no more."""
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), PER_CALL))]
            self._senders -= not batch
        return batch
