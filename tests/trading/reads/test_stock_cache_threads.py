"""The stock cache under threads: what a reader may see, whatever the order of events."""

import random
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from tests.trading.fakes import FakeMarket
from tests.trading.procedures import perform, procedure
from trading.reads.stock import Stock
from trading.reads.stock_cache import StockCache
from trading.reads.stock_reader import StockReader

NAMES = [f"S{number}" for number in range(6)]


@pytest.fixture(autouse=True)
def busy_threads() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def test_no_reader_sees_a_quantity_from_before_an_answered_order():
    """Each stock's quantity only falls; `answered` is what has been told to clients before a read began."""
    quantities = dict.fromkeys(NAMES, 10**6)
    answered = dict.fromkeys(NAMES, 10**6)
    cache = StockCache(4, time.monotonic)  # smaller than the market: entries are evicted all the time
    reader = StockReader(procedure(lambda name: Stock(name, 100, quantities[name])), cache)
    wrong: list[str] = []
    reads = [0] * 6
    stop = threading.Event()

    def read(seed: int) -> None:
        choose = random.Random(seed).choice
        while not stop.is_set():
            name = choose(NAMES)
            bound = answered[name]
            reads[seed] += 1
            seen = perform(reader.read(name, past_cache=False)).stock
            if seen.name != name or seen.quantity > bound:
                wrong.append(f"seed {seed}: {name} shows {seen.quantity}, {bound} was answered before")

    readers = [threading.Thread(target=read, args=(seed,)) for seed in range(6)]
    for thread in readers:
        thread.start()
    choose = random.Random(99).choice
    deadline = time.monotonic() + 20
    while sum(reads) < 3000 and time.monotonic() < deadline:
        name = choose(NAMES)
        quantities[name] -= 1
        reader.forget(name)
        answered[name] = quantities[name]
    stop.set()
    for thread in readers:
        thread.join(10)
    assert wrong == []
    assert sum(reads) >= 3000


def test_readers_of_a_missing_stock_share_one_question():
    market = FakeMarket()
    asked = threading.Event()
    go_on = threading.Event()

    def slowly(name: str) -> Stock:
        asked.set()
        assert go_on.wait(10)
        return market.look_up(name)

    reader = StockReader(procedure(slowly), StockCache(4, time.monotonic))
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(perform(reader.read("BlueFinch", past_cache=False))))
        for _ in range(5)
    ]
    threads[0].start()
    assert asked.wait(10)
    for thread in threads[1:]:
        thread.start()
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert [answer.stock.quantity for answer in answers] == [120] * 5
    assert market.look_ups <= 2  # a reader that came when the fill was done found the entry
