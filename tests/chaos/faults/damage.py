"""A byte of a log is another one when its process starts again."""

import time

from backends.storage.csv.checkpoint import DATABASE_NAME
from deploy.systems.waiting import wait_until
from tests.chaos.repair import count_rows, flip_byte, middle_row, rebuild, refused_start
from tests.chaos.trial import Trial, fault
from tests.checker.history import Outcome

FLIPPED = "flipped byte"
LAST = -1
REPAIR_S = 30.0


def damage_replica(trial: Trial, row: int | None) -> None:
    """Its bad rows are kept aside, and it is filled again from the leader."""
    system = trial.system
    name = trial.chance.choice(system.followers())
    path = system.order_database(int(name[-1]))
    with trial.load() as load:
        trial.wait_for_orders(load, 100)
        system.kill(name)
        wait_until(lambda: not system.in_sync(name), 10, f"{name} left out")
        beside = set(path.parent.iterdir())
        flip_byte(path, middle_row(path) if row is None else row, trial.chance)
        system.restart(name)
        trial.in_sync_within(name, time.monotonic(), system.interval_s + 5)
        kept = set(path.parent.iterdir()) - beside
        assert kept, "nothing was kept aside"
    trial.no_errors(load)


@fault(FLIPPED)
def byte_flipped_in_middle_of_replica(trial: Trial) -> None:
    """Damage: good rows stand behind the bad one."""
    damage_replica(trial, None)


@fault(FLIPPED)
def byte_flipped_in_tail_of_replica(trial: Trial) -> None:
    """The last row is whole: no torn tail."""
    damage_replica(trial, LAST)


@fault(FLIPPED)
def byte_flipped_in_middle_of_journal(trial: Trial) -> None:
    """The catalog refuses to start and names row and repair; found orders are still served; the repair restores all."""
    system = trial.system
    made = trial.place()
    assert made.order is not None, made
    with trial.load() as load:
        trial.wait_for_orders(load, 100)
    system.kill("catalog")
    row = middle_row(system.journal)
    flip_byte(system.journal, row, trial.chance)
    said = refused_start(system, "catalog")
    assert f"row {row} is damaged" in said, said
    assert "backends.catalog.rebuild" in said, said
    trial.still_served(made.order.number)
    repair(trial)


@fault(FLIPPED)
def byte_flipped_in_last_row_of_journal(trial: Trial) -> None:
    """It is whole, so it is no torn tail: the catalog refuses to start until the repair."""
    system = trial.system
    made = trial.place()
    assert made.order is not None, made
    with trial.load() as load:
        trial.wait_for_orders(load, 100)
    system.kill("catalog")
    last = system.journal.read_bytes().count(b"\n") - 1
    flip_byte(system.journal, LAST, trial.chance)
    said = refused_start(system, "catalog")
    assert f"row {last} is damaged" in said, said
    assert "backends.catalog.rebuild" in said, said
    trial.still_served(made.order.number)
    repair(trial)


@fault(FLIPPED)
def last_row_of_journal_cut_at_rest(trial: Trial) -> None:
    """It looks like a torn tail, but the checkpoint has the trade: the catalog refuses to start, until the repair."""
    system = trial.system
    with trial.load() as load:
        trial.wait_for_orders(load, 100)
    numbers = count_rows(system.journal)
    wait_until(lambda: f",{numbers}\n" in (system.data_dir / "catalog" / DATABASE_NAME).read_text(), 2, "a checkpoint")
    system.kill("catalog")
    system.journal.write_bytes(system.journal.read_bytes()[:-5])
    said = refused_start(system, "catalog")
    assert f"its last row is {numbers - 1}, but {DATABASE_NAME} is as of trade {numbers}" in said, said
    repair(trial)


def refuses_to_trade(trial: Trial) -> None:
    """Wait until the system has halted and the catalog names the repair; no order may be made on the way."""
    system = trial.system

    def is_halted() -> bool:
        health = system.catalog_health()
        trial.refused()
        return health is not None and bool(health.halted)

    wait_until(is_halted, 15, "a halt")
    health = system.catalog_health()
    assert health is not None
    assert "backends.catalog.rebuild" in health.halted, health.halted
    trial.refused()


def repair(trial: Trial, *arguments: str) -> None:
    """Rebuild the catalog, and measure how long that and the start took."""
    began = time.monotonic()
    rebuild(trial.system, *arguments)
    trial.at_most("repaired", time.monotonic() - began, REPAIR_S)
    request = trial.place()
    assert request.outcome is Outcome.ORDER, request
