import time

import pytest

from deploy.systems.waiting import NotInTime, wait_until


def test_what_becomes_true_is_returned():
    answers = iter([0, 0, 7])
    assert wait_until(lambda: next(answers), 5, "a number") == 7


def test_waiting_ends_in_an_error_that_says_for_what():
    began = time.monotonic()
    with pytest.raises(NotInTime, match=r"not within 0.1 s: the moon \(last seen: False\)"):
        wait_until(lambda: False, 0.1, "the moon")
    assert time.monotonic() - began < 5
