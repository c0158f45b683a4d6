"""What a frontend makes at its first request, when there are many first requests at once."""

import json

import pytest
from django.urls import get_resolver

from tests.harness.first_requests import AT_ONCE

# An address for each route that has an answer to GET, in the order of trading/urls.py.
PATHS = [
    "/",
    "/stocks",
    "/stocks/A00.T",
    "/orders",
    "/orders/1",
    "/events?types=order",
    "/replicas",
    "/replicas/switchover",
    "/replicas/1/resync",
    "/healthz",
    "/metrics",
    "/readyz",
    "/schema",
    "/docs",
    "/login",
    "/logout",
    "/dashboard/stocks",
    "/dashboard/orders",
    "/dashboard/replicas",
    "/dashboard/failovers",
    "/dashboard/charts",
    "/nowhere",
]


def test_every_route_has_its_path():
    """A new one is found here: the test below has to ask it too."""
    assert len(get_resolver().url_patterns[0].url_patterns) == len(PATHS)


@pytest.mark.processes
def test_first_requests_at_once_are_answered_as_a_later_one(shared_cluster):
    # The document failed in every other trial.
    asked = [*PATHS, *["/schema"] * 5]
    ended = shared_cluster.run("-m", "tests.harness.first_requests", *asked)
    answers = list(map(json.loads, ended.stdout.splitlines()))
    assert [(path, len(statuses)) for path, statuses in answers] == [(path, AT_ONCE) for path in asked], ended.stderr
    failed = [one for one in answers if len(set(one[1])) != 1 or one[1][0].startswith("500")]
    assert failed == [], ended.stderr[-2000:]
