"""A replica with an empty directory is given a long past while orders go on."""

import time
from math import inf

from tests.chaos.trial import Trial, fault

GROUP = "1,000,000 orders to catch up under load"
ORDERS = 1_000_000
BEFORE_S = 15.0
CATCH_UP_S = 30.0
P99_RATIO = 2.0


@fault(GROUP)
def million_orders_to_catch_up(trial: Trial) -> None:
    """Orders go on at nearly their usual pace: 99 of 100 take at most twice as long as in the seconds before."""
    trial.begin_without("order-1", ORDERS)
    with trial.load() as load:
        trial.wait_for_orders(load, 200)
        before = time.monotonic()
        trial.let_pass(BEFORE_S)
        started = time.monotonic()
        trial.system.restart("order-1")
        trial.in_sync_within("order-1", started, CATCH_UP_S)
        ended = time.monotonic()
    usual, meanwhile = load.p99_s(before, started), load.p99_s(started, ended)
    trial.at_most("p99 before", usual * 1e3, inf, " ms")
    trial.at_most("p99 meanwhile", meanwhile * 1e3, inf, " ms")
    trial.at_most("p99 ratio", meanwhile / usual, P99_RATIO, "")
    trial.no_errors(load)
