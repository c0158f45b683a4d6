import time

import pytest
from supervisor import poller

from deploy.supervisord import look_often


def test_it_waits_for_no_more_than_a_part_of_a_second(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(poller.Poller, "poll", poller.Poller.poll)  # put back at the end
    look_often()
    began = time.monotonic()
    assert poller.Poller(options=None).poll(5) == ([], [])
    assert time.monotonic() - began < 1
