"""The leader is cut off from some of the processes it talks with, and not from the others."""

import time

from deploy.systems.waiting import wait_until
from tests.chaos.trial import Trial, fault
from tests.checker.history import Outcome

GROUP = "leader cut from the followers only, from the catalog only, from one of two frontends only"
CUT_S = 12.0
INTERVALS = 14  # after 1 and after 4 more it is tried again, then after 16
ELECTED_S = 6.0
# One epoch for the election; one more if two processes elect at the same time.
EPOCHS = 2
ONE_STALL_S = 1.0
CUT_FRONTEND_S = 1.5


@fault(GROUP)
def leader_cut_from_its_followers(trial: Trial) -> None:
    """It trades alone, as one replica is enough; nobody elects."""
    system = trial.system
    leader = system.leader_name()
    with trial.load() as load:
        trial.wait_for_orders(load)
        cut, epoch = time.monotonic(), system.epoch()
        system.links.silence(leader, system.followers())
        trial.orders_go_on(load, cut, ONE_STALL_S)
        trial.let_pass(CUT_S)
        trial.at_most("epochs begun", system.epoch() - epoch, 0, "")
        healed = time.monotonic()
        system.links.heal()
        for follower in system.followers():
            trial.in_sync_within(follower, healed, system.interval_s + 3)
    trial.no_errors(load)


@fault(GROUP, BOURSE_MIN_IN_SYNC="2")
def leader_cut_from_its_followers_where_two_must_hold(trial: Trial) -> None:
    """Nothing is acknowledged; who asks hears 504, for it is decided; afterwards the same keys get their orders."""
    system = trial.system
    leader = system.leader_name()
    with trial.load(traders=4) as load:
        trial.wait_for_orders(load)
        system.links.silence(leader, system.followers())
        trial.let_pass(2)  # what was under way
        cut, epoch = time.monotonic(), system.epoch()
        trial.let_pass(CUT_S)
        trial.at_most("acknowledged alone", load.acknowledged_since(cut), 0, "")
        trial.at_most("epochs begun", system.epoch() - epoch, 0, "")
        outcomes = {request.outcome for request in load.errors()}
        assert outcomes == {Outcome.UNKNOWN}, outcomes
        healed = time.monotonic()
        system.links.heal()
        trial.wait_for_orders(load, since=healed)
        trial.at_most("orders again", time.monotonic() - healed, system.interval_s + ELECTED_S)
    trial.all_settled(load)


@fault(GROUP)
def leader_cut_from_the_catalog(trial: Trial) -> None:
    """It cannot trade, and the frontends can see that the catalog is not to blame: another one leads, and stays."""
    system = trial.system
    leader = system.leader_name()
    with trial.load() as load:
        trial.wait_for_orders(load)
        cut, epoch = time.monotonic(), system.epoch()
        system.links.between(leader, "catalog").silence()
        trial.orders_go_on(load, cut, ELECTED_S)
        trial.let_pass(CUT_S)
        trial.at_most("epochs begun", system.epoch() - epoch, EPOCHS, "")
        healed = time.monotonic()
        system.links.heal()
        trial.in_sync_within(leader, healed, system.interval_s + 3)


@fault(GROUP)
def frontend_cut_from_the_catalog(trial: Trial) -> None:
    """Orders go on by both frontends, as the leader reaches the catalog; nobody elects. Stocks are not shown there."""
    system = trial.system
    name = trial.stocks[0]
    with trial.load() as load:
        trial.wait_for_orders(load)
        cut, epoch = time.monotonic(), system.epoch()
        system.links.between("frontend", "catalog").cut()
        trial.orders_go_on(load, cut, CUT_FRONTEND_S)
        trial.let_pass(CUT_S / 2)
        trial.at_most("slowest order, all the time", load.longest_s(cut), CUT_FRONTEND_S)
    idle = trial.place()  # the leader is asked anew, whether the catalog answers it
    trial.at_most("order after a pause", idle.ended - idle.invoked, CUT_FRONTEND_S)
    assert idle.outcome is Outcome.ORDER, idle
    assert trial.recorder.read_stock(name) is None
    trial.at_most("epochs begun", system.epoch() - epoch, 0, "")
    ready = system.rests["frontend"].get("/readyz")
    assert "the leader does" in ready.text, ready.text
    healed = time.monotonic()
    system.links.heal()
    wait_until(lambda: trial.recorder.read_stock(name) is not None, 10, "the stock")
    trial.at_most("stocks again", time.monotonic() - healed, ELECTED_S)
    trial.no_errors(load)


@fault(GROUP)
def leader_cut_from_one_frontend(trial: Trial) -> None:
    """That frontend elects another one, the other frontend goes along; the health loop soon learns to leave it so."""
    system = trial.system
    leader = system.leader_name()
    with trial.load() as load:
        trial.wait_for_orders(load)
        cut, epoch = time.monotonic(), system.epoch()
        system.links.between("frontend", leader).silence()
        trial.orders_go_on(load, cut, ELECTED_S)
        trial.let_pass(INTERVALS * system.interval_s)
        given_back = [one for one, leader_id in system.epochs() if one > epoch and f"order-{leader_id}" == leader]
        trial.at_most(f"lead given back in {INTERVALS} intervals", len(given_back), 2, "")
        trial.at_most("slowest order, all the time", load.longest_s(cut), ELECTED_S)
        system.links.heal()
    trial.no_errors(load)
