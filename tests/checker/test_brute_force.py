"""The checker and a search through all sequences agree on thousands of small histories, possible or not."""

from random import Random

import pytest

from tests.checker.brute_force import Search
from tests.checker.check import find_violations
from tests.checker.random_histories import make_history, mutate
from tests.checker.violations import describe, report

HISTORIES = 1_000  # for each seed


@pytest.mark.parametrize("seed", range(6))
def test_agrees_with_search(seed: int):
    """In both directions; about half of the histories have no, one or two mistakes in them."""
    impossible = 0
    for number in range(HISTORIES):
        chance = Random(f"{seed}/{number}")
        history, orders = make_history(chance, chance.randint(2, 8))
        for _ in range(chance.choice((0, 1, 1, 2))):
            orders = mutate(chance, history, orders)
        violations = find_violations(history)
        is_possible = Search(history, orders).is_possible()
        lines = [f"seed {seed}/{number}: possible by search: {is_possible}", f"{history.initial}", *map(str, orders)]
        assert is_possible == (not violations), "\n".join(
            [*lines, *map(describe, history.operations), report(violations)]
        )
        impossible += not is_possible
    print(f"seed {seed}: {HISTORIES} histories, {impossible} impossible")
    assert 0.15 * HISTORIES < impossible < 0.85 * HISTORIES


def test_unmutated_histories_are_possible():
    """What the maker calls possible, both find possible: the maker has no mistakes of its own."""
    for number in range(500):
        history, orders = make_history(Random(number), 7)
        assert not find_violations(history), f"seed {number}"
        assert Search(history, orders).is_possible(), f"seed {number}"
