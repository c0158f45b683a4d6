import threading
from concurrent.futures import ThreadPoolExecutor

from benchmarks.floor.gatherer import Gatherer


def test_each_gets_its_own_answers_and_calls_are_shared():
    lock, running, most, calls = threading.Lock(), 0, 0, 0

    def send(items: list[int]) -> list[int]:
        nonlocal running, most, calls
        with lock:
            running, calls = running + 1, calls + 1
            most = max(most, running)
        threading.Event().wait(0.001)
        with lock:
            running -= 1
        return [-item for item in items]

    gatherer = Gatherer(send)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: gatherer.place([n, n + 1]), range(400)))
    assert answers == [[-n, -n - 1] for n in range(400)]
    assert most == 1
    assert calls < 400
    assert gatherer.place([7]) == [-7]
