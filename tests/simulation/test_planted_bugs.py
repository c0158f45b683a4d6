"""The simulator can fail: it finds each of these mistakes within the seeds that are stated here.

They are seeds on which the code as it is passes (test_simulation.py).
"""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.simulation.planted import catalog, frontends, log, replicas
from tests.simulation.runs import run_seed
from tests.simulation.test_simulation import FIRST_SEED


class Bug(NamedTuple):
    """A planted mistake, and after how many seeds it was found when this was written, and must be found."""

    plant: Callable[[pytest.MonkeyPatch], None]
    found_by: int
    within: int


BUGS = (
    Bug(catalog.no_key_check, found_by=1, within=20),
    Bug(catalog.keys_forgotten_at_a_restart, found_by=4, within=40),
    Bug(catalog.no_fencing, found_by=11, within=60),
    Bug(catalog.restarted_catalog_takes_an_old_epoch, found_by=11, within=60),
    Bug(catalog.full_disk_taken_for_written, found_by=3, within=40),
    Bug(catalog.checkpoint_written_in_place, found_by=14, within=100),
    Bug(catalog.rename_without_directory_sync, found_by=6, within=60),
    Bug(log.visible_before_sync, found_by=1, within=20),
    Bug(replicas.promotion_without_reading, found_by=1, within=20),
    Bug(replicas.min_in_sync_ignored, found_by=3, within=60),
    Bug(replicas.min_in_sync_ignored_on_retry, found_by=3, within=60),
    Bug(replicas.acknowledged_before_sync, found_by=3, within=40),
    Bug(replicas.silent_follower_counted, found_by=2, within=40),
    Bug(replicas.refusals_forgotten, found_by=3, within=60),
    Bug(replicas.not_found_without_asking_the_catalog, found_by=31, within=100),
    Bug(replicas.list_without_asking_the_catalog, found_by=1, within=20),
    Bug(frontends.stale_after_own_order, found_by=4, within=40),
    Bug(frontends.changes_not_applied, found_by=2, within=60),
    Bug(frontends.list_page_skips, found_by=1, within=20),
)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.plant.__name__)
def test_planted_bug_is_found(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    bug.plant(monkeypatch)
    for count in range(1, bug.within + 1):
        run, _trace = run_seed(FIRST_SEED + count - 1)
        if run.violations:
            print(f"{bug.plant.__name__}: found by seed {count}: {next(iter(run.violations.values())).splitlines()[0]}")
            return
    raise AssertionError(f"{bug.plant.__name__} was not found within {bug.within} seeds")
