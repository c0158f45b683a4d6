"""Numbers to the points of a picture."""

import pytest

from trading.dashboard.board import Sample
from trading.dashboard.charts import HEIGHT, SPAN_S, WIDTH, Point, draw, hit_rate, order_rate, top_above


@pytest.mark.parametrize(
    ("value", "top"),
    [(0, 1), (1, 1), (1.01, 2), (4, 5), (5, 5), (7, 10), (10, 10), (11, 20), (999, 1000), (3200, 5000)],
)
def test_top_is_the_next_round_number(value, top):
    assert top_above(value) == top


def test_points_are_placed_from_the_left_edge_to_the_right_and_from_the_lower_edge_up():
    (line,) = draw([[Point(SPAN_S, 0.0), Point(SPAN_S / 2, 5.0), Point(0.0, 10.0)]], 10.0).lines
    assert line == f"0.0,{HEIGHT:.1f} {WIDTH / 2:.1f},{HEIGHT / 2:.1f} {WIDTH:.1f},0.0"


def test_what_is_older_than_the_picture_is_left_out():
    chart = draw([[Point(SPAN_S + 1, 9.0), Point(10.0, 2.0), Point(5.0, 1.0)]], 10.0)
    assert (len(chart.lines[0].split()), chart.now, chart.peak) == (2, 1.0, 2.0)


def test_a_single_point_is_a_line_that_can_be_seen():
    (line,) = draw([[Point(0.0, 1.0)]], 1.0).lines
    assert len(line.split()) == 2


def test_nothing_was_measured():
    for chart in (order_rate([], 0.0), hit_rate([], 0.0), order_rate([Sample(0.0, 3, 0, 0)], 1.0)):
        assert (chart.lines, chart.now, chart.peak) == ([], None, None)


def test_rate_of_orders_is_what_came_between_two_looks_by_their_time():
    samples = [Sample(0.0, 0, 0, 0), Sample(2.0, 30, 0, 0), Sample(4.0, 34, 0, 0)]
    chart = order_rate(samples, 4.0)
    assert (chart.now, chart.peak, chart.top) == (2.0, 15.0, 20)


def test_hits_are_in_percent_with_a_gap_where_nothing_was_read():
    samples = [Sample(0.0, 0, 0, 0), Sample(1.0, 0, 3, 4), Sample(2.0, 0, 3, 4), Sample(3.0, 0, 4, 5)]
    chart = hit_rate(samples, 3.0)
    assert (len(chart.lines), chart.now, chart.peak, chart.top) == (2, 100.0, 100.0, 100.0)
