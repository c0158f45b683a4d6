"""Small random histories: what a correct system would answer, and the same with a mistake."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from random import Random

from tests.checker.history import (
    History,
    ListOrders,
    LookUpOrder,
    Operation,
    Outcome,
    Page,
    PlaceOrder,
    ReadStock,
    Reason,
    ShownOrder,
)
from tests.checker.made import CLUSTER_ID, MadeMarket, set_journal

NAMES = ("A", "B")
FRONTENDS = ("front-1", "front-2")
KEYS = ("k1", "k2", "k3", "k4")
LONGEST = 4


def make_history(chance: Random, operations: int) -> tuple[History, list[ShownOrder]]:
    """Return a history that a correct system could have, and the orders of its journal.

    Each operation takes effect at one moment; its ends lie around it, on whole and half seconds, so that many coincide.
    """
    initial = {name: chance.randint(0, 3) for name in NAMES}
    market = MadeMarket(initial)
    history = History(CLUSTER_ID, initial, order_budget_s=chance.choice((0.0, 3.0)), slack_s=chance.choice((0.0, 0.5)))
    past = [dict(market.quantities)]
    for moment in range(operations):
        invoked = moment - chance.randint(0, LONGEST) / 2
        ended = moment + chance.randint(0, LONGEST) / 2
        history.operations += _operate(
            chance, market, history.operations, past, (chance.choice(FRONTENDS), invoked, ended)
        )
        past.append(dict(market.quantities))
    set_journal(history, market.orders)
    return history, market.orders


def _operate(
    chance: Random,
    market: MadeMarket,
    done: Sequence[Operation],
    past: list[dict[str, int]],
    by: tuple[str, float, float],
) -> list[Operation]:
    name = chance.choice(NAMES)
    match chance.choice(("place", "place", "place", "read", "cached", "look up", "list")):
        case "place":
            return _place(chance, market, done, by)
        case "read":
            return [ReadStock(*by, name, market.quantities[name])]
        case "cached":
            quantity = chance.choice([market.quantities[name], past[-1][name]])
            return [ReadStock(*by, name, quantity, cached=True)]
        case "look up":
            number = chance.randint(1, 4)
            order = market.orders[number - 1] if number <= len(market.orders) else None
            return [LookUpOrder(*by, number, order)]
        case _:
            return [_list(chance, market, by)]


def _place(
    chance: Random, market: MadeMarket, done: Sequence[Operation], by: tuple[str, float, float]
) -> list[Operation]:
    earlier = [operation for operation in done if isinstance(operation, PlaceOrder)]
    if earlier and chance.random() < 0.3:
        like = chance.choice(earlier)
        asked = (like.key, like.name, like.order_type, like.quantity)
    else:
        asked = (chance.choice(KEYS), chance.choice(NAMES), chance.choice(("buy", "sell")), chance.randint(1, 2))
    key, name, order_type, quantity = asked
    ask = partial(PlaceOrder, *by, key, name, order_type, quantity)
    outcome = chance.choice((Outcome.ORDER, Outcome.ORDER, Outcome.UNKNOWN, Outcome.NO_ANSWER, Outcome.NOT_EXECUTED))
    if outcome is Outcome.NOT_EXECUTED:
        return [ask(outcome)]
    number = market.number_of(key)
    if number is None:
        held = market.quantities[name]
        if order_type == "buy" and held < quantity:
            available = chance.choice((held, None))
            reason = Reason.INSUFFICIENT_STOCK
            return [ask(Outcome.REFUSED, reason=reason, available=available)]
        if outcome is Outcome.ORDER or chance.random() < 0.5:
            number = market.execute(*asked).number
    if outcome is not Outcome.ORDER or number is None:
        return [ask(outcome)]
    order = market.orders[number - 1]
    if (order.name, order.order_type, order.quantity) != (name, order_type, quantity):
        return [ask(Outcome.KEY_REUSED, reused_number=number)]
    return [ask(outcome, order=order)]


def _list(chance: Random, market: MadeMarket, by: tuple[str, float, float]) -> ListOrders:
    frontend, invoked, ended = by
    descending, after = chance.random() < 0.5, chance.choice((0, 0, 1))
    names = chance.choice(((), ("A",)))
    orders = [order for order in market.orders if order.number > after and (not names or order.name in names)]
    if descending:
        orders.reverse()
    cut = chance.randint(1, max(1, len(orders)))
    latest = len(market.orders)
    pages = [Page(invoked, ended, tuple(orders[:cut]), latest, cut < len(orders))]
    if cut < len(orders) and chance.random() < 0.5:
        pages.append(Page(ended, ended + 0.5, tuple(orders[cut:]), latest, False))
    return ListOrders(frontend, tuple(pages), descending, after, names)


def mutate(chance: Random, history: History, orders: list[ShownOrder]) -> list[ShownOrder]:
    """Change one thing in a history, which may then still be possible; return the orders of its journal."""
    if len(orders) > 1 and chance.random() < 0.2:
        first = chance.randrange(len(orders) - 1)
        orders = [*orders[:first], orders[first + 1], orders[first], *orders[first + 2 :]]
        orders = [
            replace(order, number=number, created_at=old.created_at)
            for number, (order, old) in enumerate(
                zip(orders, sorted(orders, key=lambda one: one.number), strict=True), 1
            )
        ]
        history.operations = [_renumbered(operation, orders) for operation in history.operations]
        set_journal(history, orders)
        return orders
    place = chance.randrange(len(history.operations))
    operation = history.operations[place]
    if isinstance(operation, ListOrders):
        history.operations[place] = _mutated_list(chance, operation)
    elif chance.random() < 0.5:
        later = chance.randint(-4, 4)
        history.operations[place] = replace(operation, invoked=operation.invoked + later, ended=operation.ended + later)
    else:
        history.operations[place] = _mutated(chance, operation, orders)
    return orders


def _renumbered(operation: Operation, orders: list[ShownOrder]) -> Operation:
    if isinstance(operation, PlaceOrder) and operation.order is not None:
        key = operation.order.key
        return replace(operation, order=next(order for order in orders if order.key == key))
    if isinstance(operation, LookUpOrder) and operation.order is not None:
        return replace(operation, order=orders[operation.number - 1])
    return operation


def _mutated_list(chance: Random, one: ListOrders) -> ListOrders:
    *pages, page = one.pages
    match chance.randrange(4):
        case 0:
            page = replace(page, latest=max(0, page.latest + chance.choice((-1, 1))))
        case 1:
            page = replace(page, orders=page.orders[1:], has_more=False)
        case 2:
            page = replace(page, has_more=not page.has_more) if page.orders else page
        case _:
            later = chance.randint(-3, 3)
            page = replace(page, invoked=page.invoked + later, ended=page.ended + later) if not pages else page
    return replace(one, pages=(*pages, page))


def _mutated(chance: Random, operation: Operation, orders: list[ShownOrder]) -> Operation:
    match operation:
        case ReadStock():
            return replace(operation, quantity=max(0, (operation.quantity or 0) + chance.choice((-1, 1))))
        case LookUpOrder():
            found = orders[operation.number - 1] if operation.number <= len(orders) else None
            if operation.order and chance.random() < 0.5:
                return replace(operation, order=chance.choice(orders))
            return replace(operation, order=None if operation.order else found)
        case PlaceOrder(outcome=Outcome.ORDER):
            return replace(operation, order=chance.choice(orders))
        case PlaceOrder(outcome=Outcome.REFUSED):
            return replace(operation, available=chance.randint(0, 2))
        case PlaceOrder(outcome=Outcome.KEY_REUSED):
            return replace(operation, reused_number=chance.randint(1, 3))
        case PlaceOrder(order=None):
            if operation.order_type == "buy" and chance.random() < 0.5:
                return replace(operation, outcome=Outcome.REFUSED, reason=Reason.INSUFFICIENT_STOCK)
            return replace(operation, outcome=Outcome.NOT_EXECUTED)
        case PlaceOrder():
            if chance.random() < 0.5:
                return replace(operation, outcome=Outcome.NOT_EXECUTED, order=None)
            return replace(operation, outcome=Outcome.UNKNOWN, order=None)
    return operation
