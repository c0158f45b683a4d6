import asyncio
import threading
import time

import pytest

from common.calls.failures import RpcFailure
from common.calls.loop import LoopNetwork
from common.calls.reasons import Reason
from common.calls.steps import Pause
from protos import catalog_pb2
from tests.trading.fake_network import refusal
from tests.trading.market.crowd import LEADERSHIP, BlockingLeader, Crowd, result
from tests.trading.procedures import perform, procedure
from trading.market.gatherer import CALL_TIMEOUT_S, ORDERS_PER_CALL, Gatherer
from trading.replicas.election import LeaderAndEpoch


@pytest.fixture(autouse=True)
def second_call_after(monkeypatch):
    """No second call, however slow the machine is; a test may ask for one by calling this with seconds."""

    def after(seconds):
        monkeypatch.setattr("trading.market.gatherer.SECOND_CALL_AFTER_S", seconds)

    after(60.0)
    return after


@pytest.fixture
def leader():
    return BlockingLeader()


@pytest.fixture
def crowd(leader):
    return Crowd(Gatherer(procedure(leader.send)))


def test_a_lone_order_goes_at_once(leader, crowd):
    leader.gates.release()
    crowd.start("a")
    crowd.join()
    assert crowd.results == {"a": "a"}
    assert leader.calls == [["a"]]


def test_sixteen_threads_share_calls_and_each_gets_its_own_result(leader, crowd):
    """A call is under way; the fifteen orders that come meanwhile travel in one more."""
    crowd.start("a")
    leader.wait_for_calls(1)
    others = [f"{'bad' if number % 3 == 0 else 'good'}-{number}" for number in range(15)]
    crowd.start(*others)
    crowd.wait_until_waiting(15)
    assert len(leader.calls) == 1
    leader.gates.release(20)
    crowd.join()
    assert [len(call) for call in leader.calls] == [1, 15]
    for key in ["a", *others]:
        got = crowd.results[key]
        if key.startswith("bad"):
            assert (got.reason, got.metadata, got.may_be_executed) == (
                Reason.INSUFFICIENT_STOCK,
                {"available": "2"},
                False,
            )
        else:
            assert got == key


def test_a_call_carries_at_most_five_hundred(leader, crowd, monkeypatch):
    monkeypatch.setattr("trading.market.gatherer.ORDERS_PER_CALL", 3)
    crowd.start("a")
    leader.wait_for_calls(1)
    crowd.start(*"bcdefgh")
    crowd.wait_until_waiting(7)
    leader.gates.release(20)
    crowd.join()
    assert [len(call) for call in leader.calls] == [1, 3, 3, 1]
    assert crowd.results == {key: key for key in "abcdefgh"}


@pytest.mark.parametrize(
    ("reason", "unknown"),
    [(Reason.UNREACHABLE, True), (Reason.NO_ANSWER, True), (Reason.NOT_LEADER, False), (Reason.HALTED, False)],
)
def test_a_failed_call_fails_what_waits_behind_it_as_never_sent(leader, crowd, reason, unknown):
    crowd.start("a")
    leader.wait_for_calls(1)
    crowd.start("c", "d")
    crowd.wait_until_waiting(2)
    leader.failure = refusal(reason)
    leader.gates.release(20)
    crowd.join()
    assert {failure.reason for failure in crowd.results.values()} == {reason}
    assert {key: failure.may_be_executed for key, failure in crowd.results.items()} == {
        "a": unknown,
        "c": False,
        "d": False,
    }


def test_after_a_failure_the_lane_goes_on(leader, crowd):
    leader.failure = refusal(Reason.UNREACHABLE)
    leader.gates.release()
    crowd.start("a")
    crowd.join()
    leader.failure = None
    leader.gates.release(5)
    crowd.start("b", "c", "d")
    crowd.join()
    assert [crowd.results[key] for key in "bcd"] == ["b", "c", "d"]


def test_an_order_that_was_not_sent_in_its_time_is_certainly_not_executed(leader, crowd):
    crowd.start("a")
    leader.wait_for_calls(1)
    hurried = Crowd(crowd.gatherer, seconds=0.05)
    hurried.start("c")
    hurried.join()
    assert (hurried.results["c"].reason, hurried.results["c"].may_be_executed) == (Reason.NO_ANSWER, False)
    leader.gates.release(5)
    crowd.join()
    assert leader.calls == [["a"]]


def test_an_order_in_a_call_that_goes_on_is_unknown_when_its_time_is_up(leader, crowd):
    crowd.start("a")
    leader.wait_for_calls(1)
    crowd.start("c")
    crowd.wait_until_waiting(1)
    hurried = Crowd(crowd.gatherer, seconds=0.3)
    hurried.start("d")
    crowd.wait_until_waiting(2)
    leader.gates.release()  # now both are sent
    leader.wait_for_calls(2)
    hurried.join()
    assert (hurried.results["d"].reason, hurried.results["d"].may_be_executed) == (Reason.NO_ANSWER, True)
    leader.gates.release(5)
    crowd.join()
    assert crowd.results["c"] == "c"


def test_an_answer_of_the_wrong_length_is_a_failure(crowd):
    gatherer = Gatherer(procedure(lambda *_: []))
    with pytest.raises(RpcFailure) as failure:
        perform(gatherer.place(LEADERSHIP, catalog_pb2.NewOrder(), time.monotonic() + 1))
    assert failure.value.may_be_executed


def test_an_unforeseen_error_leaves_nobody_waiting_and_the_lane_goes_on(leader, crowd):
    leader.failure = ZeroDivisionError("a bug")
    leader.gates.release(10)
    crowd.start("a")
    crowd.join()
    assert (crowd.results["a"].reason, crowd.results["a"].may_be_executed) == (Reason.UNKNOWN, True)
    crowd.wait_until_idle()
    leader.failure = None
    crowd.start("b")
    crowd.join()
    assert crowd.results["b"] == "b"


def test_lanes_of_past_leaderships_are_dropped(leader):
    gatherer = Gatherer(procedure(lambda _leadership, orders, _timeout_s: [result(order) for order in orders]))
    for epoch in range(20):
        perform(gatherer.place(LeaderAndEpoch(3, "order:3", epoch), catalog_pb2.NewOrder(), time.monotonic() + 1))
    assert len(gatherer._lanes) == 1


def test_many_threads_and_many_orders_end_with_every_result_in_place():
    """Whatever the interleaving: each order once in one call, and never more than two calls at once."""
    under_way, most = [0], [0]
    seen: list[str] = []
    lock = threading.Lock()

    def send(_leadership, orders, _timeout_s):
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
            seen.extend(order.idempotency_key for order in orders)
        threading.Event().wait(0.001)
        with lock:
            under_way[0] -= 1
        if len(seen) % 7 == 0:
            raise RpcFailure(Reason.UNREACHABLE, "lost")
        return [result(order) for order in orders]

    gatherer = Gatherer(procedure(send))
    wrong = []

    def work(name):
        for number in range(40):
            key = f"{name}-{number}"
            try:
                placed = perform(
                    gatherer.place(LEADERSHIP, catalog_pb2.NewOrder(idempotency_key=key), time.monotonic() + 10)
                )
                if placed.order.idempotency_key != key:
                    wrong.append(key)
            except RpcFailure as failure:
                if failure.may_be_executed != (key in seen):
                    wrong.append(key)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert wrong == []
    assert most[0] <= 2
    assert len(seen) == len(set(seen))


def test_no_order_is_left_behind_however_calls_end(leader, crowd):
    for round_ in range(30):
        crowd.start(*(f"{round_}-{number}" for number in range(6)))
        leader.gates.release(6)
    crowd.join()
    crowd.wait_until_idle()
    assert crowd.gatherer.counts().waiting == 0


def test_a_second_call_is_made_behind_a_slow_one_and_never_a_third(leader, crowd, second_call_after):
    second_call_after(0.1)
    crowd.start("a")
    leader.wait_for_calls(1)
    crowd.start("b", "c")
    leader.wait_for_calls(2)  # b or c has waited long enough, and takes the other along if that waits too
    crowd.start("d")
    crowd.wait_until_waiting(3 - len(leader.calls[1]))
    hurried = Crowd(crowd.gatherer, seconds=0.3)
    hurried.start("e")
    hurried.join()
    assert hurried.results["e"].reason is Reason.NO_ANSWER
    assert len(leader.calls) == 2
    leader.gates.release(10)
    crowd.join()
    assert crowd.results == {key: key for key in "abcd"}
    crowd.wait_until_idle()
    assert crowd.gatherer.counts().waiting == 0


def test_an_order_with_little_time_left_does_not_cut_the_call_of_others_off(leader, crowd):
    timeouts = []
    send = leader.send

    def note(leadership, orders, timeout_s):
        timeouts.append(timeout_s)
        return send(leadership, orders, timeout_s)

    crowd.gatherer._send = procedure(note)
    hurried = Crowd(crowd.gatherer, seconds=0.05)
    hurried.start("a")
    leader.wait_for_calls(1)
    hurried.join()
    assert hurried.results["a"].may_be_executed
    leader.gates.release(10)
    crowd.start("b")
    crowd.join()
    assert crowd.results["b"] == "b"
    assert set(timeouts) == {CALL_TIMEOUT_S}


def test_an_order_that_nobody_wants_any_more_is_not_sent(leader, crowd):
    crowd.start("a")
    leader.wait_for_calls(1)
    crowd.start("b", "c")
    crowd.wait_until_waiting(2)
    crowd.gone = {"a", "b"}
    leader.gates.release(10)
    crowd.join()
    assert leader.calls == [["a"], ["c"]]  # what was sent runs to its end
    assert (crowd.results["a"], crowd.results["c"]) == ("a", "c")
    assert (crowd.results["b"].reason, crowd.results["b"].may_be_executed) == (Reason.ABANDONED, False)
    assert crowd.gatherer.counts() == (0, 2, 2)


def test_when_all_that_waits_is_unwanted_no_call_is_made_and_the_sender_ends(leader, crowd):
    crowd.gone = {"a"}
    crowd.start("a")
    crowd.join()
    crowd.wait_until_idle()
    assert leader.calls == []
    leader.gates.release()
    crowd.start("b")
    crowd.join()
    assert crowd.results["b"] == "b"


@pytest.fixture
def slow(leader, monkeypatch):
    """As `crowd`, but each call seems to take a minute, and the next one waits as long for those that it answered."""
    monkeypatch.setattr("trading.market.gatherer.GATHER_S", 60.0)
    leader.gates.release(20)
    clock = lambda: time.monotonic() + 60.0 * len(leader.calls)  # noqa: E731
    return Crowd(Gatherer(procedure(leader.send), clock), seconds=600.0)


def place_together(crowd, leader, *keys):
    """Have orders travel in one call, behind one of another order."""
    leader.gates = threading.Semaphore(0)
    crowd.start("before")
    leader.wait_for_calls(1)
    crowd.start(*keys[1:])
    crowd.wait_until_waiting(len(keys) - 1)
    leader.gates.release(20)
    crowd.threads[0].join(10)
    crowd.start(keys[0])  # in its place
    crowd.join()
    assert [len(call) for call in leader.calls] == [1, len(keys)]


def test_those_that_were_answered_together_go_together_again(leader, slow):
    place_together(slow, leader, "a", "b", "c")
    slow.start("d", "e")
    slow.wait_until_waiting(2)
    assert len(leader.calls) == 2
    slow.start("f")
    slow.join()
    assert sorted(leader.calls[2]) == ["d", "e", "f"]


def test_enough_orders_wait_for_no_more(leader, slow, monkeypatch):
    place_together(slow, leader, "a", "b", "c")
    monkeypatch.setattr("trading.market.gatherer.ENOUGH_ORDERS", 2)
    slow.start("d", "e", "f")
    slow.join()
    slow.start("g", "h")
    slow.join()
    assert [len(call) for call in leader.calls[2:]] == [3, 2]


def test_those_that_do_not_come_again_are_not_waited_for_longer_than_the_last_call_took(leader, crowd):
    crowd.start("a")
    leader.wait_for_calls(1)
    crowd.start("b", "c")
    crowd.wait_until_waiting(2)
    leader.gates.release(20)
    crowd.join()
    crowd.start("d")
    crowd.join()
    assert [len(call) for call in leader.calls] == [1, 2, 1]


def test_a_lone_client_waits_for_nobody(leader, slow):
    for key in "abc":
        slow.start(key)
        slow.join()
    assert leader.calls == [["a"], ["b"], ["c"]]


def test_the_time_for_more_orders_follows_the_slowest_call_of_late():
    now, taken = [0.0], [0.4]

    def send(_leadership, orders, _timeout_s):
        now[0] += taken[0]
        return [result(order) for order in orders]

    gatherer = Gatherer(procedure(send), lambda: now[0])

    def place():
        perform(gatherer.place(LEADERSHIP, catalog_pb2.NewOrder(), now[0] + 10))

    assert gatherer.time_for(10_000) == 0.0  # nothing is known yet
    place()
    assert gatherer.time_for(ORDERS_PER_CALL - 1) == 0.0  # they all go in the next one
    assert gatherer.time_for(20 * ORDERS_PER_CALL) == pytest.approx(8.0)
    taken[0] = 0.1
    place()
    assert gatherer.time_for(ORDERS_PER_CALL) == pytest.approx(0.32)
    for _ in range(10):
        place()
    assert gatherer.time_for(ORDERS_PER_CALL) == pytest.approx(0.1)


def test_many_coroutines_of_one_loop_share_calls_as_threads_do():
    """And a call that is under way holds up neither the loop nor those who wait."""
    sizes = []

    def send(_leadership, orders, _timeout_s):
        sizes.append(len(orders))
        yield Pause(0.01)
        return [result(order) for order in orders]

    gatherer = Gatherer(send)

    async def place(network, key):
        order = catalog_pb2.NewOrder(idempotency_key=key)
        return (await network.run(gatherer.place(LEADERSHIP, order, time.monotonic() + 10))).order.idempotency_key

    async def place_all(keys):
        network = LoopNetwork()
        return await asyncio.gather(*(place(network, key) for key in keys))

    keys = [f"k{number}" for number in range(1200)]
    assert asyncio.run(place_all(keys)) == keys
    assert sizes == [500, 500, 200]
