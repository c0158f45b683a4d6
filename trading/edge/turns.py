"""Turns on the event loop: a crowd that comes at once leaves the loop to others in between."""

import asyncio
from collections import deque


class Turns:
    """Lets so many coroutines go on in one pass of the loop, and the others in the next passes, in their order.

    For the loop's thread alone.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._taken = 0  # in this pass
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Return when it is the caller's turn: at once, unless so many have had theirs in this pass."""
        if self._taken < self._at_once:
            if not self._taken:
                asyncio.get_running_loop().call_soon(self._begin_pass)
            self._taken += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    def _begin_pass(self) -> None:
        self._taken = 0
        while self._waiting and self._taken < self._at_once:
            turn = self._waiting.popleft()
            if not turn.done():  # else it was given up
                turn.set_result(None)
                self._taken += 1
        if self._taken:
            asyncio.get_running_loop().call_soon(self._begin_pass)
