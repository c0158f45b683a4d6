"""Mistakes in the frontends, each a line or a condition that somebody could forget or get wrong."""

from dataclasses import replace
from typing import Any

import pytest

from common.calls.failures import RpcFailure
from trading.reads.order_query import OrderQuery
from trading.reads.stock_cache import Fill, StockCache
from trading.reads.stock_reader import StockReader

Patch = pytest.MonkeyPatch


def lost_answer_taken_for_not_executed(patch: Patch) -> None:
    """An attempt without an answer did nothing."""
    patch.setattr(RpcFailure, "may_be_executed", property(lambda self: False))


def stale_after_own_order(patch: Patch) -> None:
    """The stock of an own order stays in the cache."""
    patch.setattr(StockReader, "forget", lambda self, name: None)


def changes_not_applied(patch: Patch) -> None:
    """What the catalog says of changes makes the cache fresh and drops nothing."""
    apply = StockCache.apply_watch
    patch.setattr(
        StockCache, "apply_watch", lambda self, names, *, reset, sent_at: apply(self, (), reset=False, sent_at=sent_at)
    )


def list_page_skips(patch: Patch) -> None:
    """A page goes on one order behind the place where the last one ended."""
    request = OrderQuery.request

    def skip(self: OrderQuery, account: str | None) -> Any:
        step = -1 if self.is_descending else 1
        return request(replace(self, position=self.position and self.position + step), account)

    patch.setattr(OrderQuery, "request", skip)


def cancelled_fill_kept(patch: Patch) -> None:
    """An answer that was asked for before the stock changed is kept behind the change."""
    patch.setattr(Fill, "is_cancelled", property(lambda self: False, lambda self, value: None), raising=False)
