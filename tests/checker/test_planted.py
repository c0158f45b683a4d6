"""Every check fires on a violation of its kind that is planted in a valid history, and on nothing else."""

from collections.abc import Callable

import pytest

from tests.checker.check import check_history, find_violations
from tests.checker.history import JOURNAL, Outcome, PlaceOrder, Reason
from tests.checker.planted import PLANTED, cache_after_own_order, cache_older_than_second
from tests.checker.sample import TWO, Sample
from tests.checker.violations import Kind, report


def test_valid_history_has_no_violation():
    """Nothing fires on it."""
    assert not find_violations(Sample().history)


@pytest.mark.parametrize(("plant", "kinds"), PLANTED, ids=lambda value: getattr(value, "__name__", ""))
def test_planted_violation_is_found(plant: Callable[[Sample], None], kinds: set[Kind]):
    """By the check of its kind, with a message for people; by no other."""
    sample = Sample()
    plant(sample)
    violations = find_violations(sample.history)
    print(report(violations))
    assert {violation.kind for violation in violations} == kinds
    with pytest.raises(AssertionError, match=f"^{len(violations)} violations"):
        check_history(sample.history)


def test_every_kind_is_planted():
    """No check is without a violation that it was shown to find."""
    assert set().union(*(kinds for _, kinds in PLANTED)) == set(Kind)


def test_replica_that_is_behind():
    """It may lack the journal's end, not hold anything else."""
    sample = Sample()
    data = sample.history.files[JOURNAL]
    sample.history.files["order-1"] = data[: len(data) // 2]
    sample.history.behind = frozenset({"order-1"})
    assert not find_violations(sample.history)
    sample.history.files["order-1"] = data[:-3] + b"xyz"
    assert {violation.kind for violation in find_violations(sample.history)} == {Kind.FILES_DIFFER}


def test_client_gone_away():
    """A frontend goes on with an order for its budget: a refusal in this time does not settle it, one later does."""
    sample = Sample()
    sample.change("unsettled", outcome=Outcome.NO_ANSWER, invoked=100.0, ended=100.1)
    refused = PlaceOrder(TWO, 105.0, 105.1, "k8", "B", "buy", 1, Outcome.REFUSED, reason=Reason.INSUFFICIENT_STOCK)
    sample.add("refused k8", refused)
    assert {violation.kind for violation in find_violations(sample.history)} == {Kind.UNTRUE_REFUSAL}
    sample.history.order_budget_s = 4.0
    kinds = {violation.kind for violation in find_violations(sample.history)}
    assert kinds == {Kind.UNTRUE_REFUSAL, Kind.EXECUTED}


def test_orders_from_before_and_of_others():
    """Orders from before the history are nobody's; later ones of others are good in an incomplete history."""
    sample = Sample()
    sample.drop("first")
    assert {violation.kind for violation in find_violations(sample.history)} == {Kind.UNASKED}
    sample.history.orders_before = 1
    assert not find_violations(sample.history)
    sample.drop("third")
    assert find_violations(sample.history)
    sample.history.complete = False
    assert not find_violations(sample.history)


def test_slack_of_cached_reads():
    """A busy machine may be forgiven a little, the process's own order never."""
    sample = Sample()
    cache_older_than_second(sample)
    sample.history.slack_s = 2.0
    assert not find_violations(sample.history)
    cache_after_own_order(sample)
    assert {violation.kind for violation in find_violations(sample.history)} == {Kind.STALE_CACHE}
