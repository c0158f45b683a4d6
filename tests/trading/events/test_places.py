import pytest

from common.calls.reasons import Reason
from trading.api.errors import ApiError
from trading.events.places import MOST_THREADS, Places


def refusal(places: Places, account: str | None, **options: bool) -> str:
    with pytest.raises(ApiError) as refused:
        places.take(account, **options)
    assert refused.value.reason is Reason.OVERLOADED
    return str(refused.value)


def test_all_places_are_taken_and_the_refusal_names_the_bound():
    places = Places(2, 9)
    places.take(None)
    places.take("ann")
    assert refusal(places, "bob") == "All 2 places for streams of events are taken (BOURSE_EVENT_STREAMS)."
    places.leave("ann")
    places.take("bob")
    assert places.taken == 2


def test_one_account_cannot_take_all():
    places = Places(9, 2)
    places.take("ann")
    places.take("ann")
    assert refusal(places, "ann") == (
        "Account 'ann' has 2 streams of events open, the most for one (BOURSE_EVENT_STREAMS_PER_ACCOUNT)."
    )
    places.take("bob")
    places.leave("ann")
    places.take("ann")
    assert places.taken == 3


def test_callers_without_an_account_share_the_whole():
    places = Places(5, 2)
    for _place in range(5):
        places.take(None)
    assert "All 5" in refusal(places, None)


def test_streams_that_hold_threads_are_fewer():
    places = Places(1000, 1000)
    for _place in range(MOST_THREADS):
        places.take(None, holds_thread=True)
    assert "each holds a thread here" in refusal(places, None, holds_thread=True)
    places.take(None)
