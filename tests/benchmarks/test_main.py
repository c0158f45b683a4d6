import argparse
from pathlib import Path

import pytest

from benchmarks.__main__ import COMPARING, PARTS, chosen_parts, chosen_plan
from benchmarks.plan import FULL, QUICK
from deploy.settings import ROOT
from deploy.systems.checkout import THIS


def given(**options: object) -> argparse.Namespace:
    default = {"quick": False, "parts": None, "largest": None, "against": None, "rounds": None, "seconds": None}
    return argparse.Namespace(**default | options)


def test_all_parts_are_measured_the_first_two_briefly_or_those_that_are_named():
    assert chosen_parts(given()) == list(PARTS)
    assert chosen_parts(given(quick=True)) == ["look-ups", "orders"]
    assert chosen_parts(given(parts="burst,orders")) == ["burst", "orders"]
    with pytest.raises(ValueError, match="'bursts'"):
        chosen_parts(given(parts="orders,bursts"))


def test_a_comparison_is_of_the_parts_that_can_compare():
    assert set(COMPARING) < set(PARTS)
    assert chosen_parts(given(against=Path())) == list(COMPARING)
    with pytest.raises(ValueError, match="another checkout can be compared in is named 'growth'"):
        chosen_parts(given(against=Path(), parts="growth"))


def test_rounds_seconds_and_the_other_checkout_are_of_the_plan(tmp_path: Path):
    assert chosen_plan(given()) == FULL
    assert not FULL.is_comparison
    assert chosen_plan(given(quick=True)) == QUICK
    for path in ("deploy/run.py", ".venv/bin/python"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
    plan = chosen_plan(given(against=tmp_path, rounds=5, seconds=0.5))
    assert (plan.rounds, plan.seconds, plan.is_comparison) == (5, 0.5, True)
    assert plan.checkouts[0] == THIS
    assert [checkout.folder for checkout in plan.checkouts] == [ROOT, tmp_path]
