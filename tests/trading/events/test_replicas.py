"""What differs between two looks at the cluster."""

import json
from typing import Any

import pytest

from trading.events.replicas import ReplicaSource
from trading.events.ring import Event


def status(leader: int | None, epoch: int, **states: str) -> dict[str, Any]:
    """A status; each replica is `state` or `state:lag`."""
    replicas = []
    for name, text in states.items():
        state, _, lag = text.partition(":")
        role = None if state == "faulty" else "leader" if leader == int(name[1:]) else "follower"
        replicas.append({"id": int(name[1:]), "state": state, "lag": int(lag or 0), "role": role, "rtt_ms": 1})
    return {"leader": leader, "epoch": epoch, "replicas": replicas}


ALL_WELL = status(3, 1, r3="in-sync", r2="in-sync", r1="in-sync")


@pytest.fixture
def told() -> Any:
    """A function that looks at these states one after the other, and returns the events of all."""

    def look_at(*states: dict[str, Any]) -> list[tuple[str, Any]]:
        events: list[Event] = []
        looks = iter(states)
        source = ReplicaSource(lambda: next(looks), events.extend)
        for _state in states:
            source.tick()
        return [(event.type, json.loads(event.data)) for event in events]

    return look_at


def test_nothing_at_the_first_look_nor_without_a_change(told):
    assert told(ALL_WELL, ALL_WELL, ALL_WELL) == []


def test_failover(told):
    lost = status(None, 1, r3="faulty", r2="in-sync", r1="in-sync")
    again = status(2, 2, r3="faulty", r2="in-sync", r1="in-sync")
    assert told(ALL_WELL, lost, again) == [
        ("replica", {"id": 3, "state": "faulty", "lag": 0, "role": None}),
        ("leader", {"leader": None, "epoch": 1, "reason": "lost"}),
        ("replica", {"id": 2, "state": "in-sync", "lag": 0, "role": "leader"}),
        ("leader", {"leader": 2, "epoch": 2, "reason": "failover"}),
    ]


def test_switchover_is_told_from_a_failover_and_from_a_renewal(told):
    switched = status(2, 2, r3="in-sync", r2="in-sync", r1="in-sync")
    assert ("leader", {"leader": 2, "epoch": 2, "reason": "switchover"}) in told(ALL_WELL, switched)
    renewed = ALL_WELL | {"epoch": 2}
    assert told(ALL_WELL, renewed) == [("leader", {"leader": 3, "epoch": 2, "reason": "renewed"})]


def test_progress_is_told_of_a_replica_that_is_caught_up_alone(told):
    def behind(lag: int) -> dict[str, Any]:
        return status(3, 1, r3="in-sync", r2="in-sync", r1=f"catching-up:{lag}")

    busy = status(3, 1, r3="in-sync", r2="in-sync:4", r1="in-sync")
    lags = [data["lag"] for _type, data in told(ALL_WELL, behind(900), behind(900), behind(100), ALL_WELL, busy)]
    assert lags == [900, 100, 0]
