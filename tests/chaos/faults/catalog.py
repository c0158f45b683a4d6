"""The catalog fails: no trade without it, none doubled or lost by it, and what was found before is still found."""

import time

import pytest

from common.calls.failures import RpcFailure
from protos import catalog_pb2
from tests.chaos.trial import Trial, fault
from tests.checker.history import Outcome
from tests.harness.load import Load

KILLED = (
    "catalog killed before its sync, after it before the reply, in a checkpoint, in the rename of one, in BeginEpoch"
)
AWAY = "catalog down 60 s, frozen 20 s"
BACK_S = 6.0
DOWN_S = 60.0
FROZEN_S = 20.0
FAST_S = 2.5  # an answer that nothing can be done
LOOK_UP_S = 1.0


@fault(KILLED)
def catalog_killed_before_its_sync(trial: Trial) -> None:
    """Rows are written, and nobody was told of them."""
    kill_catalog(trial, "log-written")


@fault(KILLED)
def catalog_killed_after_its_sync(trial: Trial) -> None:
    """Rows are decided, and it never showed them."""
    kill_catalog(trial, "log-synced")


@fault(KILLED)
def catalog_killed_before_its_reply(trial: Trial) -> None:
    """Rows are decided, and the leader sends the batch again to another run of the catalog."""
    kill_catalog(trial, "catalog-answering")


@fault(KILLED)
def catalog_killed_in_a_checkpoint_while_trades_never_pause(trial: Trial) -> None:
    """Its own thread writes it beside the batches."""
    kill_catalog(trial, "replace-written")


@fault(KILLED)
def catalog_killed_before_the_checkpoints_rename(trial: Trial) -> None:
    """A new checkpoint lies beside the old one."""
    kill_catalog_at_a_new_price(trial, "replace-written")


@fault(KILLED)
def catalog_killed_after_the_checkpoints_rename(trial: Trial) -> None:
    """The new checkpoint counts, and nobody was told."""
    kill_catalog_at_a_new_price(trial, "replace-renamed")


@fault(KILLED)
def catalog_killed_writing_an_epoch(trial: Trial) -> None:
    """The epoch may be there when it returns, or not."""
    kill_catalog_in_an_election(trial, "epoch-written")


@fault(KILLED)
def catalog_killed_with_an_epoch_begun(trial: Trial) -> None:
    """The epoch is there, and its leader has not heard of it."""
    kill_catalog_in_an_election(trial, "epoch-begun")


@fault(AWAY)
def catalog_down(trial: Trial) -> None:
    """Orders are refused at once; orders that were made are still found."""
    system = trial.system
    with trial.load(give_up_after_s=2 * DOWN_S) as load:
        trial.wait_for_orders(load)
        system.kill("catalog")
        be_without_catalog(trial, load, DOWN_S)
        back = time.monotonic()
        system.restart("catalog")
        trial.wait_for_orders(load, since=back)
        trial.at_most("orders again", time.monotonic() - back, BACK_S)
    trial.all_settled(load)


@fault(AWAY)
def catalog_frozen(trial: Trial) -> None:
    """As when it is down, but what had reached it is done when it wakes."""
    system = trial.system
    with trial.load() as load:
        trial.wait_for_orders(load)
        system.freeze("catalog")
        be_without_catalog(trial, load, FROZEN_S)
        back = time.monotonic()
        system.resume("catalog")
        trial.wait_for_orders(load, since=back)
        trial.at_most("orders again", time.monotonic() - back, BACK_S)
    trial.all_settled(load)


def kill_catalog(trial: Trial, step: str) -> None:
    """Kill the catalog at a step of a batch, start it again: each order is there once, or was refused."""
    system = trial.system
    with trial.load() as load:
        trial.wait_for_orders(load)
        system.kill_at("catalog", step).wait()
        system.processes["catalog"].wait(5)
        restarted(trial, load)
    trial.all_settled(load)


def kill_catalog_at_a_new_price(trial: Trial, step: str) -> None:
    """Kill the catalog while an operator sets a price: nobody knows whether it was set, and it can be set again."""
    system = trial.system
    name = trial.stocks[0]
    request = catalog_pb2.SetStockRequest(name=name, price_cents=77_777)
    with trial.load() as load:
        trial.wait_for_orders(load)
        trap = system.kill_at("catalog", step)
        with pytest.raises(RpcFailure) as failed:
            system.network.call(system.catalog, request, 5)
        assert not failed.value.was_answered
        assert trap.is_reached
        system.processes["catalog"].wait(5)
        restarted(trial, load)
        system.network.call(system.catalog, request, 5)
        assert system.rest.get(f"/stocks/{name}", {"Cache-Control": "no-cache"}).json()["data"]["price"] == 777.77


def kill_catalog_in_an_election(trial: Trial, step: str) -> None:
    """Kill the leader, and the catalog while it begins the epoch of the next one."""
    system = trial.system
    leader = system.leader_name()
    with trial.load() as load:
        trial.wait_for_orders(load)
        trap = system.kill_at("catalog", step)
        system.kill(leader)
        trap.wait()
        system.processes["catalog"].wait(5)
        restarted(trial, load)


def restarted(trial: Trial, load: Load) -> None:
    """Start the catalog again, and measure the time from there to the next orders."""
    back = time.monotonic()
    trial.system.restart("catalog")
    trial.wait_for_orders(load, since=back)
    trial.at_most("orders again", time.monotonic() - back, BACK_S)


def be_without_catalog(trial: Trial, load: Load, seconds: float) -> None:
    """Ask for everything while the catalog does not answer: see what is answered, and how soon."""
    began = time.monotonic()
    known = [intent.number for intent in load.intents if intent.number is not None]
    slowest_look_up = slowest_refusal = 0.0
    trial.let_pass(2.0)  # orders that were under way
    while time.monotonic() < began + seconds:
        asked = time.monotonic()
        trial.recorder.look_up(trial.chance.choice(known))
        slowest_look_up = max(slowest_look_up, time.monotonic() - asked)
        request = trial.place(frontend=trial.chance.choice(list(trial.recorder.rests)))
        slowest_refusal = max(slowest_refusal, request.ended - request.invoked)
        assert request.outcome is Outcome.NOT_EXECUTED, request
        assert trial.recorder.read_stock(trial.stocks[0]) is None
        trial.let_pass(0.5)
    trial.at_most("order looked up", slowest_look_up, LOOK_UP_S)
    trial.at_most("order refused", slowest_refusal, FAST_S)
    trial.at_most("orders meanwhile", load.acknowledged_since(began + 1.0), 0, "")
