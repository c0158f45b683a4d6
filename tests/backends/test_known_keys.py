from backends.known_keys import KnownKeys, key_of


def test_at_least_the_newest_keys_are_known_and_not_many_more():
    known = KnownKeys(at_least=100, generation_keys=8)
    for number in range(1, 1001):
        known.add(key_of("a", f"k{number}"), number)
        newest = range(max(1, number - 99), number + 1)
        assert all(known.number(key_of("a", f"k{each}")) == each for each in newest)
        assert len(known) <= 100 + 2 * 8
    assert known.number(key_of("a", "k1")) is None


def test_keys_of_two_accounts_are_two_keys():
    known = KnownKeys()
    known.add(key_of("a", "k"), 1)
    assert known.number(key_of("", "k")) is None
    assert known.number(key_of("a", "k")) == 1
    assert key_of("a", "bk") != key_of("ab", "k")
