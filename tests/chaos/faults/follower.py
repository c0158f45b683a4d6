"""A follower fails: orders stall once, nobody hears of it, and it comes back by itself."""

import time
from collections.abc import Callable

from backends.order.peer_link import FOLLOWER_TIMEOUT_S
from tests.chaos.proxy import REPLIES
from tests.chaos.trial import Trial, fault

GROUP = "follower killed, frozen, slow by 200 ms, its reply lost"
SLOW_S = 0.2
ONE_STALL_S = 1.0
STALL_S = 0.9 * FOLLOWER_TIMEOUT_S  # an order that took so long has waited for a follower
CATCH_UP_S = 5.0
AWAY_S = 4.0


@fault(GROUP)
def follower_killed(trial: Trial) -> None:
    """Its connections are closed by the system: the leader knows at once."""
    break_follower(trial, trial.system.kill, trial.system.restart)


@fault(GROUP)
def follower_frozen(trial: Trial) -> None:
    """Its connections stay open: the leader waits for it once."""
    break_follower(trial, trial.system.freeze, trial.system.resume)


@fault(GROUP)
def follower_whose_reply_is_lost(trial: Trial) -> None:
    """It holds what the leader believes it lacks."""
    leader = trial.system.leader_name()

    def lose(follower: str) -> None:
        trial.system.links.between(leader, follower).lose(REPLIES)

    def heal(follower: str) -> None:
        trial.system.links.between(leader, follower).heal()

    break_follower(trial, lose, heal)


@fault(GROUP)
def follower_slow(trial: Trial) -> None:
    """Every order waits for it, none as long as a stall, and it stays in sync."""
    system = trial.system
    follower = trial.chance.choice(system.followers())
    with trial.load() as load:
        trial.wait_for_orders(load)
        slow = time.monotonic()
        system.links.between(system.leader_name(), follower).delay(SLOW_S)
        trial.orders_go_on(load, slow, ONE_STALL_S)
        trial.let_pass(AWAY_S)
        assert system.in_sync(follower)
        system.links.heal()
    trial.at_most("slowest order, all the time", load.longest_s(slow), ONE_STALL_S)
    trial.no_errors(load)
    trial.no_failed_reads()


def break_follower(trial: Trial, break_it: Callable[[str], None], mend_it: Callable[[str], None]) -> None:
    """Break a follower under load and mend it some seconds later."""
    system = trial.system
    follower = trial.chance.choice(system.followers())
    with trial.load() as load:
        trial.wait_for_orders(load)
        broken = time.monotonic()
        break_it(follower)
        trial.orders_go_on(load, broken, ONE_STALL_S)
        trial.let_pass(AWAY_S)
        mended = time.monotonic()
        mend_it(follower)
        trial.in_sync_within(follower, mended, system.interval_s + CATCH_UP_S)
    trial.at_most("slowest order, all the time", load.longest_s(broken), ONE_STALL_S)
    stalls = [
        intent.ended for intent in load.intents if intent.ended > broken and intent.ended - intent.started > STALL_S
    ]
    trial.at_most("time of stalls", max(stalls, default=0) - min(stalls, default=0), ONE_STALL_S)
    trial.no_errors(load)
    trial.no_failed_reads()
