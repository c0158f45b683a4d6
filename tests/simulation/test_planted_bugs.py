"""The simulator can fail: each planted bug is found within a few seeds."""

from typing import Any

import pytest

from backends.known_keys import KnownKeys
from backends.order import epochs, promotion
from backends.order.replicate import Replication
from common.steps import Steps
from tests.simulation.runs import run_seed
from trading.clients import outcomes, placing

MAX_SEEDS = 300


def no_key_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KnownKeys, "number", lambda self, key: None)


def promotion_without_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_nothing(*_arguments: Any) -> Steps[bool]:
        yield from ()
        return True

    monkeypatch.setattr(epochs, "read_missing", read_nothing)
    monkeypatch.setattr(promotion, "read_missing", read_nothing)


def min_in_sync_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    init = Replication.__init__
    monkeypatch.setattr(Replication, "__init__", lambda self, store, followers, _: init(self, store, followers, 1))


def silent_follower_counts_as_in_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    def record(self: Replication, target: Any, _outcome: Any, end: int) -> bool:
        self._followers.mark_in_sync(target.replica_id, end)
        return True

    monkeypatch.setattr(Replication, "_record", record)


def lost_answer_means_not_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "may_be_executed", lambda failure: False)
    monkeypatch.setattr(placing, "may_be_executed", lambda failure: False)


BUGS = (
    no_key_check,
    promotion_without_reading,
    min_in_sync_is_ignored,
    silent_follower_counts_as_in_sync,
    lost_answer_means_not_executed,
)


@pytest.mark.parametrize("plant", BUGS)
def test_planted_bug_is_found(plant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    for seed in range(1, MAX_SEEDS + 1):
        run, _ = run_seed(seed)
        if run.violations:
            print(f"{plant.__name__}: {run.violations[seed].splitlines()[0]}")
            return
    raise AssertionError(f"{plant.__name__} was not found within {MAX_SEEDS} seeds")
