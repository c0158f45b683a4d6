from examples.workload.labels import ROW_COUNT, label_rows


def test_labels_that_would_cover_each_other_go_into_rows_of_their_own():
    marks = [(5.0, "leader 3 killed"), (6.5, "2 leads"), (6.5, "3 faulty"), (20.0, "3 in-sync"), (21.0, "3 leads")]
    assert label_rows(marks, 40.0) == [0, 1, 2, 0, 1]


def test_with_more_labels_than_rows_the_one_that_ends_first_is_covered():
    marks = [(1.0, "long label" * 3), *[(1.0, "short")] * ROW_COUNT]
    assert label_rows(marks, 40.0) == [0, 1, 2, 3, 4, 5, 1]
