import socket
from collections.abc import Iterable

from benchmarks.orders import run_orders
from benchmarks.results import Results
from benchmarks.traffic import HOT
from tests.benchmarks.servers import server

CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"
OVERLOADED = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"


class System:
    name = "system"

    def __init__(self, address: str, faults: list[str]) -> None:
        self.address = address
        self.checked = 0
        self.acknowledged: list[bytes] = []
        self._faults = faults

    def cpu_s(self) -> dict[str, float]:
        return {"frontend": 1.0 + self.checked, "new": 5.0} if self.acknowledged else {"frontend": 1.0}

    def check_before(self) -> None:
        self.checked += 1

    def faults(self, acknowledged: Iterable[bytes]) -> list[str]:
        self.acknowledged += acknowledged
        return self._faults


def run(answers: list[bytes], faults: list[str]) -> tuple[System, Results]:
    def answer(connection: socket.socket, number: int) -> bool:
        connection.sendall(answers[number % len(answers)])
        return True

    results = Results()
    with server(answer) as address:
        system = System(address, faults)
        run_orders(system, 2, 0.05, HOT, results)
    return system, results


def test_a_run_is_checked_before_and_after_with_all_that_was_acknowledged():
    system, results = run([CREATED], [])
    assert system.checked == 1
    assert set(system.acknowledged) == {b"{}"}
    assert results.failures == []


def test_an_answer_that_is_no_order_fails_the_benchmark():
    _, results = run([CREATED, OVERLOADED], [])
    [failure] = results.failures
    assert "503" in failure
    assert "2 clients" in failure


def test_what_the_check_finds_fails_the_benchmark():
    _, results = run([CREATED], ["an order is lost"])
    assert results.failures == ["system, 2 clients, 1 stocks: an order is lost"]
