"""What an event is about and what a stream asks for, in one vocabulary: a stream shows an event if the two sets meet.

So to ask whether a stream wants any of many events is one look at two sets, whatever it filters by.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import product

ORDER = "order"
STOCK = "stock"
LEADER = "leader"
REPLICA = "replica"
RESET = "reset"
TYPES = (ORDER, STOCK, LEADER, REPLICA, RESET)

# A type, a stock and an account; of a reset the type that it is about stands in place of the stock.
Topic = tuple[str, str | None, str | None]
Topics = frozenset[Topic]

_ANY = "*"  # no stock or account has this name


@lru_cache(maxsize=4096)  # most events are like one before: what the ring keeps is then kept once
def event_topics(event_type: str, stock_name: str, account: str | None, about: frozenset[str]) -> Topics:
    """Return what an event is about, for those who ask for its stock or account and for those who do not."""
    if event_type == RESET:
        return frozenset((RESET, one, None) for one in {*about, RESET})
    return frozenset(product([event_type], [stock_name, _ANY], [account, _ANY]))


@lru_cache(maxsize=256)  # streams that ask for the same share it
def query_topics(types: frozenset[str], stock_names: frozenset[str], account: str | None) -> Topics:
    """Return what a stream asks for: these stocks and what belongs to none; this account and what everybody may see."""
    stocks: Iterable[str] = {*stock_names, ""} if stock_names else [_ANY]
    accounts: Iterable[str | None] = [account, None] if account is not None else [_ANY]
    resets: set[Topic] = {(RESET, one, None) for one in types}
    return frozenset(resets | set(product(types - {RESET}, stocks, accounts)))
