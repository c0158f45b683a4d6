from benchmarks.plan import FULL, QUICK


def test_a_largest_system_is_measured_after_the_smaller_ones():
    assert FULL.grown_to(None) is FULL
    largest = FULL.grown_to(10**7)
    assert list(largest.sizes) == [10**3, 10**4, 10**5, 10**6, 10**7]
    assert list(largest.memory_sizes) == []
    assert list(QUICK.grown_to(10**4).sizes) == [10**3, 10**4]
