import threading

import pytest

from backends.storage.changes import ChangeFeed


def test_changes_are_told_once_to_each_cursor():
    feed = ChangeFeed("run")
    start = feed.since("").cursor
    feed.publish(["A", "B"])
    feed.publish(["A"])
    names, cursor, reset = feed.since(start)
    assert (sorted(names), reset) == (["A", "B"], False)
    assert feed.since(cursor) == ([], cursor, False)
    feed.publish(["B"])
    assert feed.since(cursor).names == ["B"]
    assert sorted(feed.since(start).names) == ["A", "B"]


@pytest.mark.parametrize(
    "cursor", ["", "run", "run.", "run.-1", "run.1", "run.x", "other.0", "run.0.0", "run." + "9" * 90]
)
def test_cursor_that_is_not_of_this_run_is_answered_with_a_reset(cursor):
    assert ChangeFeed("run").since(cursor) == ([], "run.0", True)


def test_waiting_ends_with_a_change():
    feed = ChangeFeed("run")
    cursor = feed.since("").cursor
    heard = []
    waiter = threading.Thread(target=lambda: heard.append(feed.wait_for_news(cursor, 10)))
    waiter.start()
    feed.publish(["A"])
    waiter.join(5)
    assert heard == [True]


def test_waiting_ends_without_one():
    feed = ChangeFeed("run")
    assert not feed.wait_for_news(feed.since("").cursor, 0.01)
    assert feed.wait_for_news("", 10)
