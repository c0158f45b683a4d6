"""Clients that go away, that ask too often, or that ask for two things under one key."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

from deploy.systems.waiting import wait_until
from tests.chaos.trial import Trial, fault
from tests.checker.history import Outcome, PlaceOrder
from tests.harness.recorder import Intent

GROUP = "client gone at each step, one key 50 times at once, another payload under a key"
AT_ONCE = 50
ANSWER_S = 2.0

# Where an order is when its client goes: the process, and the step at which it is parked.
STEPS = (
    ("leader", "leader-deciding"),
    ("catalog", "log-written"),
    ("catalog", "catalog-answering"),
    ("leader", "leader-decided"),
    ("leader", "leader-appended"),
    ("leader", "leader-committed"),
    ("frontend", "frontend-committed"),
)


@fault(GROUP)
def client_gone_at_each_step(trial: Trial) -> None:
    """Whoever comes back with the key gets the one order; a request that was never whole is none."""
    system = trial.system
    for place, step in STEPS:
        trap = system.park_at(system.leader_name() if place == "leader" else place, step)
        intent = trial.intent()
        with connected(trial, "frontend") as client:
            intent.started = time.monotonic()
            client.sendall(message(intent))
            trap.wait()
        gone(trial, intent)
        trap.release()
        again = trial.place(intent, "frontend-2")
        assert again.outcome is Outcome.ORDER, (step, again)
        assert trial.place(intent).order == again.order
    half = trial.intent()
    with connected(trial, "frontend") as client:
        half.started = time.monotonic()
        client.sendall(message(half)[:-5])
    gone(trial, half)
    wait_until(lambda: numbers(trial, half) == [], 1, "no order of half a request")
    trial.let_pass(1)
    assert numbers(trial, half) == []


@fault(GROUP)
def one_key_fifty_times_at_once(trial: Trial) -> None:
    """All get the same order."""
    intent = trial.intent(order_type="buy")
    answers = at_once(trial, [intent] * AT_ONCE)
    assert {request.outcome for request in answers} == {Outcome.ORDER}, answers
    assert len({request.order for request in answers}) == 1, answers
    trial.at_most("slowest answer", max(one.ended - one.invoked for one in answers), ANSWER_S)


@fault(GROUP)
def another_payload_under_a_key(trial: Trial) -> None:
    """One of the two wins; whoever asks for the other one hears of the number that the key has."""
    one = trial.intent(quantity=1)
    other = Intent(one.key, one.name, one.order_type, 2)
    answers = at_once(trial, [one, other] * (AT_ONCE // 2))
    orders = {request.order for request in answers if request.order}
    assert len(orders) == 1, orders
    order = orders.pop()
    for request in answers:
        wins = request.quantity == order.quantity
        assert request.outcome is (Outcome.ORDER if wins else Outcome.KEY_REUSED), (order, request)
        assert wins or request.reused_number == order.number, (order, request)
    trial.at_most("slowest answer", max(one.ended - one.invoked for one in answers), ANSWER_S)


def at_once(trial: Trial, intents: list[Intent]) -> list[PlaceOrder]:
    """Ask for all of these at the same time, at both frontends in turn."""
    frontends = list(trial.recorder.rests)
    with ThreadPoolExecutor(len(intents)) as askers:
        asked = [
            askers.submit(trial.place, intent, frontends[turn // 2 % len(frontends)])
            for turn, intent in enumerate(intents)
        ]
    return [one.result() for one in asked]


def connected(trial: Trial, frontend: str) -> socket.socket:
    """Return a connection to a frontend."""
    host, _, port = trial.recorder.rests[frontend].address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=5)


def message(intent: Intent) -> bytes:
    """Return the bytes of a request for an order."""
    body = json.dumps({"name": intent.name, "type": intent.order_type, "quantity": intent.quantity})
    return (
        "POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Idempotency-Key: {intent.key}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def gone(trial: Trial, intent: Intent) -> None:
    """Write down that the client went away without an answer."""
    request = PlaceOrder(
        frontend="frontend",
        invoked=intent.started,
        ended=time.monotonic(),
        key=intent.key,
        name=intent.name,
        order_type=intent.order_type,
        quantity=intent.quantity,
        outcome=Outcome.NO_ANSWER,
    )
    intent.requests.append(request)
    trial.recorder.operations.append(request)


def numbers(trial: Trial, intent: Intent) -> list[int]:
    """Return the numbers of the orders that a key has."""
    found = trial.system.rest.get(f"/orders?client_order_id={intent.key}").json()["data"]
    return [order["number"] for order in found]
