import threading

from backends.storage.known_keys import KnownKeys, key_of


def test_at_least_the_newest_keys_are_known_and_not_many_more():
    known = KnownKeys(at_least=100, generation_keys=8)
    for number in range(1, 1001):
        known.add(key_of("a", f"k{number}"), number)
        newest = range(max(1, number - 99), number + 1)
        assert all(known.number(key_of("a", f"k{each}")) == each for each in newest)
        assert len(known) <= 100 + 2 * 8
    assert known.number(key_of("a", "k1")) is None


def test_number_from_which_on_every_key_is_known():
    known = KnownKeys(at_least=100, generation_keys=8)
    assert known.find(b"k") == (None, 0)
    for number in range(1, 1001):
        known.add(b"k%d" % number, number)
        found, known_from = known.find(b"another")
        assert found is None
        assert known_from <= max(0, number - 99)
        assert all(known.find(b"k%d" % each) == (each, known_from) for each in range(max(known_from, 1), number + 1))
    assert known_from > 1000 - 100 - 2 * 8
    assert known.number(b"k%d" % (known_from - 1)) is None


def test_keys_are_found_while_another_thread_adds():
    """A key that was added is never missed while generations are moved and dropped."""
    known = KnownKeys(at_least=10_000, generation_keys=50)
    added = [0]
    missed = []

    def look():
        while (newest := added[0]) < 20_000:
            number = known.number(b"k%d" % newest) if newest else 0
            # A reader that was not given the processor for that long may ask for a key that has been dropped by now.
            if number != newest and added[0] < newest + 10_000:
                missed.append(newest)

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(1, 20_001):
        known.add(b"k%d" % number, number)
        added[0] = number
    for reader in readers:
        reader.join()
    assert not missed


def test_keys_of_two_accounts_are_two_keys():
    known = KnownKeys()
    known.add(key_of("a", "k"), 1)
    assert known.number(key_of("", "k")) is None
    assert known.number(key_of("a", "k")) == 1
    assert key_of("a", "bk") != key_of("ab", "k")
