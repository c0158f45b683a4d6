"""What a leader notes of its followers, and whom the next batch is sent to."""

import pytest

from backends.order.followers import CATCHING_UP, FAULTY, IN_SYNC, Followers, SyncTarget
from backends.order.peer_link import Peer
from protos import order_pb2


@pytest.fixture
def followers() -> Followers:
    """Those of replica 3."""
    return Followers([order_pb2.Peer(replica_id=n, address=f"order-{n}:1") for n in (1, 2, 3)], 3)


def status(followers: Followers, replica_id: int = 1, last_number: int = 5) -> tuple[object, ...]:
    one = followers.status(replica_id, last_number)
    return one.state, one.last_number, one.lag_orders, one.error


def test_all_but_the_leader_begin_as_faulty(followers):
    assert followers.peers() == [Peer(1, "order-1:1"), Peer(2, "order-2:1")]
    assert followers.statuses(5) == [
        order_pb2.FollowerStatus(
            replica_id=n,
            state=FAULTY,
            lag_orders=5,
            error="not yet caught up by this leader",
            address=f"order-{n}:1",
        )
        for n in (1, 2)
    ]
    assert followers.sync_targets() == []
    assert not followers.has_joining()


def test_follower_in_sync_lacks_nothing_until_it_is_faulty_and_each_change_is_told_once(followers):
    assert followers.mark_in_sync(1, 5)
    assert not followers.mark_in_sync(1, 6)
    assert status(followers, last_number=6) == (IN_SYNC, 6, 0, "")
    assert status(followers, last_number=5) == (IN_SYNC, 6, 0, "")
    assert followers.sync_targets() == [SyncTarget(1, "order-1:1", 6, is_joining=False)]
    assert followers.mark_faulty(1, "silent")
    assert not followers.mark_faulty(1, "silent still")
    assert status(followers, last_number=8) == (FAULTY, 6, 2, "silent still")
    assert followers.sync_targets() == []


def test_follower_joins_once_it_is_near_and_not_if_it_is_in_sync_already(followers):
    followers.mark_in_sync(2, 5)
    followers.ask_to_join(1, 3)
    followers.ask_to_join(2, 3)
    assert followers.has_joining()
    assert followers.sync_targets() == [
        SyncTarget(1, "order-1:1", 3, is_joining=True),
        SyncTarget(2, "order-2:1", 5, is_joining=False),
    ]
    followers.mark_in_sync(1, 5)
    assert not followers.has_joining()


def test_follower_that_was_to_join_and_is_faulty_joins_no_more(followers):
    followers.ask_to_join(1, 3)
    assert not followers.mark_faulty(1, "silent")
    assert not followers.has_joining()
    assert followers.sync_targets() == []


def test_follower_is_caught_up_by_one_at_a_time_and_not_while_it_is_in_sync(followers):
    assert followers.begin_catch_up(1)
    assert status(followers) == (CATCHING_UP, 0, 5, "")
    assert not followers.begin_catch_up(1)
    followers.record_progress(1, 4)
    assert status(followers) == (CATCHING_UP, 4, 1, "")
    followers.end_catch_up(1)
    assert followers.begin_catch_up(1)
    followers.end_catch_up(1)
    followers.mark_in_sync(1, 5)
    assert not followers.begin_catch_up(1)
    assert status(followers) == (IN_SYNC, 5, 0, "")
