"""A frontend dies, sleeps, or does not hear what changes: no order is lost or doubled, and nothing old is shown."""

import time
from concurrent.futures import ThreadPoolExecutor

from deploy.systems.waiting import wait_until
from tests.chaos.proxy import REPLIES
from tests.chaos.trial import Trial, fault
from tests.checker.history import Outcome

GROUP = "frontend killed after commit, frozen while the stock changes, cache fill delayed, WatchStocks cut"
CACHE_S = 1.0
FROZEN_S = 2.5
DEAF_S = 4.0
BACK_S = 3.0


@fault(GROUP)
def frontend_killed_after_commit(trial: Trial) -> None:
    """The client got no answer; the other frontend gives it the order that was made."""
    system = trial.system
    before = trial.place()
    assert before.order is not None
    system.kill_at("frontend", "frontend-committed")
    intent = trial.intent()
    assert trial.place(intent).outcome is Outcome.NO_ANSWER
    again = trial.place(intent, "frontend-2")
    assert again.order is not None, again
    trial.at_most("orders made", again.order.number - before.order.number, 1, "")
    system.kill("frontend")
    killed = time.monotonic()
    system.restart("frontend")
    wait_until(system.frontends_are_open, 20, "the frontend")
    trial.at_most("frontend again", time.monotonic() - killed, 10)
    assert trial.place(intent).order == again.order


@fault(GROUP)
def frontend_frozen_while_the_stock_changes(trial: Trial) -> None:
    """It wakes with a cache of another time, and is asked at once."""
    system = trial.system
    name = trial.stocks[0]
    before = trial.recorder.read_stock(name, cached=True)
    assert before is not None
    trial.recorder.read_stock(name, cached=True)
    system.freeze("frontend")
    assert trial.place(trial.intent(name=name, quantity=5), "frontend-2").outcome is Outcome.ORDER
    trial.let_pass(FROZEN_S)
    system.resume("frontend")
    assert trial.recorder.read_stock(name, cached=True) == before + 5


@fault(GROUP)
def cache_fill_delayed_past_the_invalidation(trial: Trial) -> None:
    """An old answer of the catalog comes to the cache when the stock was traded already, here or elsewhere."""
    system = trial.system
    for name, frontend in zip(trial.stocks[3:], ("frontend", "frontend-2"), strict=False):
        trap = system.park_at("frontend", "cache-filling")
        with ThreadPoolExecutor(1) as reader:
            late = reader.submit(trial.recorder.read_stock, name, cached=True, in_thread=True)
            trap.wait()
            assert trial.place(trial.intent(name=name), frontend).outcome is Outcome.ORDER
            now = trial.recorder.read_stock(name)
            assert now is not None
            trial.let_pass(0.0 if frontend == "frontend" else CACHE_S + 0.5)
            trap.release()
            late.result()
        assert trial.recorder.read_stock(name, cached=True) == now


@fault(GROUP)
def watch_stocks_cut(trial: Trial) -> None:
    """A frontend that hears nothing from the catalog shows what it has for a second, then nothing."""
    system = trial.system
    name = trial.stocks[2]
    trial.recorder.read_stock(name, cached=True)
    system.links.between("frontend", "catalog").lose(REPLIES)
    deaf = time.monotonic()
    answers = []
    while time.monotonic() < deaf + DEAF_S:
        assert trial.place(trial.intent(name=name), "frontend-2").outcome is Outcome.ORDER
        answers.append((time.monotonic(), trial.recorder.read_stock(name, cached=True)))
    last = max((at for at, quantity in answers if quantity is not None), default=deaf)
    trial.at_most("shown for", last - deaf, CACHE_S + 0.5)
    system.links.heal()
    healed = time.monotonic()
    wait_until(lambda: trial.recorder.read_stock(name, cached=True), 10, "the stock")
    trial.at_most("shown again", time.monotonic() - healed, BACK_S)


@fault(GROUP)
def own_order_while_watch_stocks_is_cut(trial: Trial) -> None:
    """A frontend that hears nothing from the catalog knows all the same of the orders that it placed itself."""
    system = trial.system
    name = trial.stocks[2]
    trial.place(trial.intent(name=name))  # it knows who leads: no question to the catalog is needed for the next one
    before = trial.recorder.read_stock(name, cached=True)
    assert before is not None
    system.links.between("frontend", "catalog").lose(REPLIES)
    cut = time.monotonic()
    assert trial.place(trial.intent(name=name)).outcome is Outcome.ORDER
    trial.at_most("order placed, while the cache still answers", time.monotonic() - cut, CACHE_S / 2)
    shown = trial.recorder.read_stock(name, cached=True)
    assert shown in (None, before + 1), (before, shown)
