"""The planted mistakes, and within how many seeds the simulator must find each."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from tests.simulation.planted import catalog, frontends, log, replicas
from tests.simulation.runs import run_seed

# Others than those of `make simulate`, which begins at 1. The code as it is passes on them: test_simulation.py.
FIRST_SEED = 1_000_000
SHOWN_CHARACTERS = 100
NOT_FOUND = "not found"


class Bug(NamedTuple):
    """A planted mistake, and within how many seeds it must be found: several times what it took on the average."""

    plant: Callable[[pytest.MonkeyPatch], None]
    within: int

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        return self.plant.__name__

    def find(self) -> tuple[int, str] | None:
        """Return by which seed, counted from 1, it is found and what the violation says; None if it is not."""
        with pytest.MonkeyPatch.context() as patch:
            self.plant(patch)
            for count in range(1, self.within + 1):
                run, _trace = run_seed(FIRST_SEED + count - 1)
                for text in run.violations.values():
                    return count, text.splitlines()[0].partition(": ")[2]
        return None


BUGS = (
    Bug(catalog.no_key_check, within=20),
    Bug(catalog.no_key_check_within_a_batch, within=100),
    Bug(catalog.keys_forgotten_at_a_restart, within=20),
    Bug(catalog.no_fencing, within=40),
    Bug(catalog.restarted_catalog_takes_an_old_epoch, within=40),
    Bug(catalog.stale_batch_accepted, within=300),
    Bug(catalog.full_disk_taken_for_written, within=200),
    Bug(catalog.checkpoint_written_in_place, within=300),
    Bug(catalog.rename_without_directory_sync, within=200),
    Bug(log.visible_before_sync, within=10),
    Bug(log.no_sync_at_opening, within=120),
    Bug(log.no_chain_check, within=250),
    Bug(replicas.promotion_without_reading, within=100),
    Bug(replicas.min_in_sync_ignored, within=100),
    Bug(replicas.min_in_sync_ignored_on_retry, within=200),
    Bug(replicas.acknowledged_before_sync, within=60),
    Bug(replicas.silent_follower_counted, within=60),
    Bug(replicas.wrong_replica_counted, within=300),
    Bug(replicas.halt_blames_the_leader, within=100),
    Bug(replicas.follower_skips_a_gap, within=200),
    Bug(replicas.refusals_forgotten, within=100),
    Bug(replicas.sent_orders_not_executed_at_step_down, within=300),
    Bug(replicas.not_found_without_asking_the_catalog, within=100),
    Bug(replicas.list_without_asking_the_catalog, within=60),
    Bug(replicas.list_without_waiting, within=100),
    Bug(frontends.lost_answer_taken_for_not_executed, within=80),
    Bug(frontends.cancelled_fill_kept, within=800),
    Bug(frontends.stale_after_own_order, within=60),
    Bug(frontends.changes_not_applied, within=60),
    Bug(frontends.list_page_skips, within=20),
)


def bug_named(name: str) -> Bug:
    """Return a planted mistake by its name. StopIteration: there is none of this name."""
    return next(bug for bug in BUGS if bug.name == name)


def table() -> Iterator[str]:
    """Plant one after the other, and yield the rows of the table that docs/RELIABILITY.md shows, as Markdown."""
    yield "| planted bug | found at seed | limit | what the checker said |"
    yield "| --- | --- | --- | --- |"
    for bug in BUGS:
        seeds, said = bug.find() or (NOT_FOUND, "")
        shown = said if len(said) <= SHOWN_CHARACTERS else said[:SHOWN_CHARACTERS] + "…"
        yield f"| `{bug.name}`: {(bug.plant.__doc__ or '').strip()} | {seeds} | {bug.within} | {shown} |"
