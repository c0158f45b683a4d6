"""A data directory is empty, older, or not the right one when its process starts."""

import shutil
import time

from deploy.systems.process import Process
from deploy.systems.waiting import wait_until
from tests.chaos.faults.damage import refuses_to_trade, repair
from tests.chaos.repair import directory, refused_start, wipe
from tests.chaos.system import System
from tests.chaos.trial import Trial, fault
from tests.checker.history import Outcome
from tests.checker.made import CLUSTER_ID, make_journal

LOST = "directory lost, older or wrong"
NEXT_S = 2.0
STALL_S = 1.0
SAYS_SO_S = 15.0


def wipe_replica(trial: Trial, name: str, most_s: float) -> None:
    """It comes back with nothing, and is filled under load."""
    system = trial.system
    with trial.load() as load:
        trial.wait_for_orders(load, 100)
        killed = time.monotonic()
        system.kill(name)
        trial.orders_go_on(load, killed, most_s)
        wipe(system, name)
        system.restart(name)
        trial.in_sync_within(name, time.monotonic(), system.interval_s + 5)
    trial.no_errors(load)


@fault(LOST)
def follower_wiped(trial: Trial) -> None:
    """A new disk."""
    wipe_replica(trial, trial.system.followers()[0], STALL_S)


@fault(LOST)
def leader_wiped(trial: Trial) -> None:
    """A new disk; another one leads meanwhile."""
    wipe_replica(trial, trial.system.leader_name(), NEXT_S)


def trade_and_kill_catalog(trial: Trial, orders: int) -> int:
    """Make orders, end the catalog, and return the number of one that must still be served."""
    made = trial.place()
    assert made.order is not None, made
    with trial.load() as load:
        trial.wait_for_orders(load, orders)
    trial.system.kill("catalog")
    return made.order.number


@fault(LOST)
def catalog_wiped(trial: Trial) -> None:
    """It begins no new cluster beside directories of an old one: it refuses, and names the repair."""
    number = trade_and_kill_catalog(trial, 100)
    wipe(trial.system, "catalog")
    said = refused_start(trial.system, "catalog")
    assert "backends.catalog.rebuild" in said, said
    trial.still_served(number)
    repair(trial, "--seed", str(trial.system.folder / "seed.csv"))


@fault(LOST)
def catalog_wiped_on_another_machine(trial: Trial) -> None:
    """Nothing is beside it, so it begins a new cluster: the replicas are of another, and nobody trades."""
    system = trial.system
    trade_and_kill_catalog(trial, 100)
    wipe(system, "catalog")
    elsewhere = system.folder / "elsewhere"
    catalog = system.processes["catalog"]
    own = list(catalog.command)
    catalog.command += ["--data-dir", str(elsewhere / "catalog")]
    system.restart("catalog")
    wait_until(lambda: all(halted(system, number) for number in system.replicas), SAYS_SO_S, "all replicas halted")
    trial.refused()
    catalog.command[:] = own
    repair(trial, "--seed", str(system.folder / "seed.csv"))


def halted(system: System, replica_id: int) -> str:
    """Return why a replica is halted, empty if it is not."""
    health = system.health(replica_id)
    return health.halted if health else ""


@fault(LOST)
def catalog_restored_from_older_copy(trial: Trial) -> None:
    """The leader shows it that it lost history; nothing trades, no number is given twice, the repair restores all."""
    system = trial.system
    trade_and_kill_catalog(trial, 30)
    copy = system.folder / "copy"
    shutil.copytree(directory(system, "catalog"), copy)
    system.restart("catalog")
    wait_until(system.catalog_health, 10, "the catalog")
    number = trade_and_kill_catalog(trial, 100)
    wipe(system, "catalog")
    shutil.copytree(copy, directory(system, "catalog"))
    system.restart("catalog")
    refuses_to_trade(trial)
    trial.still_served(number)
    repair(trial)


@fault(LOST)
def catalog_restored_while_all_were_down(trial: Trial) -> None:
    """Nobody remembers anything: the replicas' files alone show that the catalog lost history."""
    system = trial.system
    trade_and_kill_catalog(trial, 30)
    copy = system.folder / "copy"
    shutil.copytree(directory(system, "catalog"), copy)
    system.restart("catalog")
    wait_until(system.catalog_health, 10, "the catalog")
    trade_and_kill_catalog(trial, 100)
    system.stop_all()
    wipe(system, "catalog")
    shutil.copytree(copy, directory(system, "catalog"))
    for process in system.processes.values():
        process.start()
    wait_until(lambda: trial.place().outcome is not Outcome.NO_ANSWER, 20, "an answer of the frontend")
    refuses_to_trade(trial)
    repair(trial)


def refused_beside_load(trial: Trial, name: str, *reasons: str) -> None:
    """A replica that has ended starts with a directory that is not its own: it refuses at once, orders go on."""
    with trial.load() as load:
        trial.wait_for_orders(load)
        said = refused_start(trial.system, name)
        assert any(reason in said for reason in reasons), said
    trial.no_errors(load)


def swap_in(trial: Trial, name: str, source: str) -> None:
    """Put a copy of another backend's directory in the place of this one's, which has ended."""
    wipe(trial.system, name)
    shutil.copytree(directory(trial.system, source), directory(trial.system, name))


@fault(LOST)
def directory_of_another_replica(trial: Trial) -> None:
    """Refused at the start; the right one, which is empty, is filled."""
    system = trial.system
    one, other = system.followers()
    system.kill(one)
    swap_in(trial, one, other)
    refused_beside_load(trial, one, f"belongs to order replica {other[-1]}")
    wipe(system, one)
    system.restart(one)
    trial.in_sync_within(one, time.monotonic(), system.interval_s + 5)


@fault(LOST)
def directory_of_the_catalog(trial: Trial) -> None:
    """Refused at the start."""
    system = trial.system
    name = system.followers()[0]
    system.kill(name)
    swap_in(trial, name, "catalog")
    refused_beside_load(trial, name, "belongs to the catalog")
    wipe(system, name)


def become_foreign(trial: Trial, name: str) -> None:
    """Put a directory of another cluster, with orders in it, in the place of a replica's, which has ended."""
    path = directory(trial.system, name)
    wipe(trial.system, name)
    path.mkdir()
    (path / "identity.csv").write_text(f"cluster_id,role,replica_id\n{CLUSTER_ID},order,{name[-1]}\n")
    (path / "order_database.csv").write_bytes(make_journal(trial.orders_placed()))


@fault(LOST)
def directory_of_another_cluster(trial: Trial) -> None:
    """Refused at the start by the catalog's word, while orders go on."""
    system = trial.system
    name = system.followers()[0]
    for _ in range(5):
        trial.place()
    system.kill(name)
    become_foreign(trial, name)
    refused_beside_load(trial, name, f"belongs to cluster {CLUSTER_ID}")
    wipe(system, name)


@fault(LOST)
def directory_of_another_cluster_without_catalog(trial: Trial) -> None:
    """Nobody can tell at its start; it halts as soon as the catalog is back, and shows nothing of what it holds."""
    system = trial.system
    name = system.followers()[0]
    for _ in range(5):
        trial.place()
    system.kill("catalog")
    system.kill(name)
    become_foreign(trial, name)
    system.restart(name)
    wait_until(lambda: system.health(int(name[-1])), 10, f"{name} answers")
    system.restart("catalog")
    started = time.monotonic()
    wait_until(lambda: halted(system, int(name[-1])), SAYS_SO_S + 5, f"{name} halted")
    trial.at_most("halted", time.monotonic() - started, SAYS_SO_S)
    with trial.load() as load:
        trial.wait_for_orders(load)
    system.kill(name)
    wipe(system, name)


@fault(LOST)
def directory_used_twice(trial: Trial) -> None:
    """A second process on a directory in use is refused; the first does not notice. So is a second catalog."""
    system = trial.system
    with trial.load() as load:
        trial.wait_for_orders(load)
        for name in ("catalog", system.leader_name()):
            first = system.processes[name]
            address = f"127.0.0.1:{system.spare_port()}"
            output = system.folder / f"second-{name}.log"
            second = Process(f"second-{name}", [*first.command, "--address", address], system.environment, output)
            second.start()
            code = second.wait(10)
            assert code == 1, second.output
            assert f"is in use by process {first.pid}" in second.output, second.output
    trial.no_errors(load)
