import json

from benchmarks.streams import numbers_by_stock, open_streams


def test_orders_are_told_apart_by_their_stock():
    bodies = [
        json.dumps({"data": {"name": name, "transaction_number": number}}).encode()
        for name, number in (("A", 1), ("B", 2), ("A", 3))
    ]
    assert numbers_by_stock(bodies) == {"A": {1, 3}, "B": {2}}


def test_open_streams_are_read_from_a_frontends_metrics():
    assert open_streams("# HELP x\nbourse_frontend_event_streams 17.0\nbourse_frontend_events 3.0\n") == 17
