from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import sides
from benchmarks.load_client import LoadError, LoadResult
from benchmarks.plan import FULL
from benchmarks.results import Results
from benchmarks.sides import add_by_turns, add_rates, side_by_side
from deploy.systems.checkout import THIS, Checkout
from deploy.systems.process import ProcessEnded

BEFORE = Checkout(Path("/somewhere/before"), "python")
PLAN = replace(FULL, checkouts=(THIS, BEFORE))


class System:
    """A system that only notes whether it runs."""

    running: set[str] = set()

    def __init__(self, folder: Path, *, checkout: Checkout, **_options: object) -> None:
        self.name = "Bourse" if checkout == THIS else checkout.folder.name
        self.folder = folder

    def __enter__(self) -> "System":
        self.running.add(self.name)
        return self

    def __exit__(self, *_error: object) -> None:
        self.running.discard(self.name)


@pytest.fixture(autouse=True)
def _systems(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sides, "Bourse", System)


def failing(name: str, error: Exception) -> Callable[[Any], None]:
    def trial(bourse: Any) -> None:
        if bourse.name == name:
            raise error

    return trial


def names(results: Results, trial: Callable[[Any], None]) -> list[str]:
    with side_by_side(PLAN, Path("/f"), results, "part", trial=trial) as bourses:
        assert System.running == {bourse.name for bourse in bourses}
        assert len({bourse.folder for bourse in bourses}) == len(bourses)
        return [bourse.name for bourse in bourses]


def test_a_system_of_each_checkout_runs_inside_ours_first():
    results = Results()
    assert names(results, failing("nobody", LoadError())) == ["Bourse", "before"]
    assert results == Results()
    assert System.running == set()


@pytest.mark.parametrize("error", [LoadError("it is silent"), ProcessEnded("it is silent")])
def test_another_checkout_that_cannot_do_it_is_stopped_and_left_out_with_a_remark(error: Exception):
    results = Results()
    assert names(results, failing("before", error)) == ["Bourse"]
    assert results.remarks == ["part: before is left out: it is silent"]
    assert results.failures == []


def test_ours_that_cannot_do_it_fails():
    with pytest.raises(LoadError, match="it is silent"):
        names(Results(), failing("Bourse", LoadError("it is silent")))
    assert System.running == set()


def test_a_row_a_side_and_the_ratio_of_the_first_to_the_other():
    results = Results()
    add_by_turns(results, "part", "orders", "1/s", {"Bourse": [4.0, 9.0], "before": [2.0, 3.0]}, {"before": "a note"})
    assert [(row.what, row.values, row.note) for row in results.rows] == [
        ("orders: Bourse", [4.0, 9.0], ""),
        ("orders: before", [2.0, 3.0], "a note"),
        ("orders: Bourse / before", [2.0, 3.0], ""),
    ]


def test_rates_are_added_and_an_unexpected_answer_is_a_failure():
    results = Results()
    loads = {
        "Bourse": [LoadResult(2.0, [0.001] * 10, client_cpu_s=1.0)],
        "before": [LoadResult(1.0, [0.002], Counter({503: 3}))],
    }
    assert add_rates(results, "part", "orders", "1/s", loads) == {"Bourse": [5.0], "before": [1.0]}
    assert results.rows[0].note == "p50 1.00 ms, p99 1.0 ms (worst round), load client 50% of a core"
    [failure] = results.failures
    assert "before" in failure
    assert "503" in failure
