"""A value that many want at once is asked for once."""

import pytest

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.shared import Load
from tests.trading.procedures import perform


def test_those_who_join_a_load_get_what_it_ends_with():
    load: Load[int] = Load()
    assert perform(load.join(0.0)) is None
    load.end(7)
    assert perform(load.join(1.0)) == 7


def test_those_who_join_a_load_that_fails_get_the_failure_as_their_own():
    load: Load[int] = Load()
    failure = RpcFailure(Reason.CATALOG, "the catalog is away", metadata={"since": 7})
    load.end(failure)
    with pytest.raises(RpcFailure) as raised:
        perform(load.join(1.0))
    assert raised.value is not failure
    assert (str(raised.value), raised.value.metadata) == (str(failure), failure.metadata)


def test_a_load_that_was_given_up_gives_nothing():
    load: Load[int] = Load()
    load.end(None)
    assert perform(load.join(1.0)) is None
