from common.recent import RecentMap


def test_remembers_at_least_the_newest_and_at_most_twice_as_many():
    recent: RecentMap[int, str] = RecentMap(100)
    for number in range(1000):
        recent.set(number, f"v{number}")
        for newer in range(max(0, number - 99), number + 1):
            assert recent.get(newer) == f"v{newer}"
        assert len(recent) <= 200
    assert recent.get(0) is None


def test_falsy_values_are_values():
    recent: RecentMap[str, int] = RecentMap(2)
    recent.set("zero", 0)
    recent.set("one", 1)
    recent.set("two", 2)
    assert recent.get("zero") == 0
