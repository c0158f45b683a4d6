from backends.storage.csv.busy import BusyWatch


def test_oldest_write_under_way_counts():
    now = [10.0]
    busy = BusyWatch(lambda: now[0])
    assert busy.stalled_s() == 0.0
    with busy.under_way():
        now[0] = 12.0
        with busy.under_way():
            now[0] = 13.0
            assert busy.stalled_s() == 3.0
    assert busy.stalled_s() == 0.0


def test_writes_that_overlap_are_counted_each():
    now = [10.0]
    busy = BusyWatch(lambda: now[0])
    first, second = busy.begin(), busy.begin()  # at one moment, by two threads
    now[0] = 11.0
    third = busy.begin()
    now[0] = 12.0
    assert busy.end(first) == 2.0
    assert busy.stalled_s() == 2.0
    busy.end(second)
    assert busy.stalled_s() == 1.0
    busy.end(third)
    assert busy.stalled_s() == 0.0
