"""Procedures in an event loop: that they go as in a thread, and that none of them holds the others up."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from common.calls.failures import RpcFailure
from common.calls.loop import LoopNetwork
from common.calls.network import Network
from common.calls.reasons import Reason
from common.calls.steps import Call, Effect, Guarded, Pause, Start, Steps, Together, Wait
from common.process.latch import Latch
from common.process.request_context import current_request_id, working_for
from protos import catalog_pb2
from tests.common.calls.test_network import FakeCatalog as UnaryCatalog
from tests.common.calls.test_network import address as unary_address  # noqa: F401 - a fixture
from tests.common.calls.test_streams import FakeCatalog, Streams, serving, text_of, update

SOON_S = 0.5


@pytest.fixture
def network() -> Iterator[Network]:
    yield (network := Network())
    network.close()


@pytest.fixture
def catalog(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Of calls on streams, or of unary ones where the test's address is `unary_address`."""
    made: Any = UnaryCatalog() if "unary_address" in request.fixturenames else FakeCatalog()  # type: ignore[abstract]
    yield made
    made.release.set()


@pytest.fixture
def address(catalog: FakeCatalog) -> Iterator[str]:
    with serving(catalog, Streams({catalog_pb2.UpdateStockRequest: catalog.UpdateStock})) as address:
        yield address


def lookup(name: str) -> catalog_pb2.LookupStockRequest:
    return catalog_pb2.LookupStockRequest(stock_name=name)


def one(effect: Any) -> Steps[Any]:
    return (yield effect)


def alive() -> Steps[bool]:
    yield Pause(0.0)
    return True


def dead() -> Steps[bool]:
    yield Pause(0.0)
    return False


def test_calls_are_answered_and_fail_as_in_a_thread(network, unary_address):  # noqa: F811
    async def main() -> list[Any]:
        loop = LoopNetwork()
        calls = [Call(unary_address, lookup(name), 5) for name in ("ACME", "fenced", "bug")]
        return await asyncio.gather(*(loop.run(one(call)) for call in calls), return_exceptions=True)

    found, fenced, bug = asyncio.run(main())
    assert found.last_number == 4
    assert (fenced.reason, fenced.number("epoch"), bug.reason) == (Reason.FENCED, 4, Reason.INTERNAL)


def test_call_without_an_answer_fails_in_its_time(network, unary_address):  # noqa: F811
    with pytest.raises(RpcFailure) as caught:
        asyncio.run(LoopNetwork().run(one(Call(unary_address, lookup("hang"), 0.3))))
    assert caught.value.reason is Reason.NO_ANSWER


def test_the_loop_goes_on_while_a_call_is_under_way(network, unary_address, catalog):  # noqa: F811
    async def main() -> Any:
        loop = LoopNetwork()
        hanging = asyncio.ensure_future(loop.run(one(Call(unary_address, lookup("hang"), 9))))
        await loop.run(one(Pause(0.01)))
        assert not hanging.done()
        catalog.release.set()
        return await hanging

    assert asyncio.run(main()).last_number == 4


def test_together_answers_in_order_with_failures_among_them(network, unary_address):  # noqa: F811
    calls = [Call(unary_address, lookup(name), 5) for name in ("a", "fenced", "abc")]
    first, second, third = asyncio.run(LoopNetwork().run(one(Together(calls))))
    assert (first.last_number, second.reason, third.last_number) == (1, Reason.FENCED, 3)


def test_guarded_call_to_a_process_that_is_found_dead_is_given_up(network, address):
    async def main() -> tuple[RpcFailure, str]:
        loop = LoopNetwork()
        with pytest.raises(RpcFailure) as caught:
            await loop.run(one(Guarded(Call(address, update("hang"), 10), 0.02, dead)))
        return caught.value, text_of(await loop.run(one(Guarded(Call(address, update("next"), 5), 0.02, alive))))

    failure, following = asyncio.run(main())
    assert (failure.reason, following) == (Reason.NO_ANSWER, "next")


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a process that takes connections and says nothing, as a frozen one does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    "effect",
    [
        lambda address: Call(address, update("a"), 0.2),
        lambda address: Guarded(Call(address, update("a"), 10), 0.1, dead),
        lambda address: Call(address, lookup("a"), 0.2),
    ],
    ids=["carried", "guarded", "unary"],
)
def test_call_to_a_process_that_says_nothing_ends_in_its_time(silent, effect):
    async def main() -> None:
        await asyncio.wait_for(LoopNetwork().run(one(effect(silent))), 5)

    with pytest.raises(RpcFailure) as caught:
        asyncio.run(main())
    assert caught.value.reason is Reason.NO_ANSWER


def test_stream_that_ended_while_the_loop_was_busy_leaves_the_call_unknown(catalog):
    """It has ended, and grpc.aio has not told the loop yet when the next call is written."""

    async def main(address: str) -> RpcFailure:
        loop = LoopNetwork()
        assert text_of(await loop.run(one(Call(address, update("a"), 5)))) == "a"
        streams.stop()
        time.sleep(0.3)
        with pytest.raises(RpcFailure) as caught:
            await loop.run(one(Call(address, update("b"), 5)))
        return caught.value

    streams = Streams({catalog_pb2.UpdateStockRequest: catalog.UpdateStock})
    with serving(catalog, streams) as address:
        failure = asyncio.run(main(address))
    assert (failure.reason, failure.may_be_executed) == (Reason.UNREACHABLE, True)


def test_call_that_is_cancelled_leaves_no_stream_behind(address, silent, catalog):
    async def main() -> str:
        loop = LoopNetwork()
        for where in (address, silent):
            running = asyncio.ensure_future(loop.run(one(Call(where, update("hang"), 10))))
            await asyncio.sleep(0.1)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert loop._calls._idle[where] == []
        return text_of(await loop.run(one(Call(address, update("next"), 5))))

    assert asyncio.run(main()) == "next"


def test_closed_network_ends_what_it_started_and_calls_nobody_any_more(address):
    ends = []

    def beside() -> Steps[None]:
        try:
            yield Wait(Latch(), 60)
        finally:
            ends.append("beside")

    async def main() -> RpcFailure:
        loop = LoopNetwork()
        await loop.run(one(Start(beside())))
        await loop.run(one(Call(address, update("a"), 5)))
        await loop.close()
        with pytest.raises(RpcFailure) as caught:
            await loop.run(one(Call(address, update("b"), 5)))
        return caught.value

    failure = asyncio.run(main())
    assert (ends, failure.reason, failure.may_be_executed) == (["beside"], Reason.UNREACHABLE, False)


def test_guarded_calls_beside_each_other_do_not_wait_for_each_other(network, address, catalog):
    async def main() -> list[str]:
        loop = LoopNetwork()
        slow = asyncio.ensure_future(loop.run(one(Guarded(Call(address, update("hang"), 10), 1.0, alive))))
        quick = [text_of(await loop.run(one(Guarded(Call(address, update(name), 5), 1.0, alive)))) for name in "abc"]
        catalog.release.set()
        return [*quick, text_of(await slow)]

    assert asyncio.run(main()) == ["a", "b", "c", "hang"]


def test_calls_tell_the_request_that_they_are_made_for(network, address):
    async def ask(loop: LoopNetwork, name: str) -> str:
        with working_for(name):
            return text_of(await loop.run(one(Guarded(Call(address, update("id"), 5), 1.0, alive))))

    async def main() -> list[str]:
        loop = LoopNetwork()
        return await asyncio.gather(*(ask(loop, name) for name in ("req-1", "req-2")))

    assert asyncio.run(main()) == ["req-1", "req-2"]
    assert current_request_id() == ""


@pytest.mark.parametrize("where", ["before", "in the loop", "in a thread"])
def test_wait_ends_when_the_latch_is_set_wherever_that_is(network, where):
    latch = Latch()

    async def main() -> tuple[bool, float]:
        loop = asyncio.get_running_loop()
        match where:
            case "before":
                latch.set()
            case "in the loop":
                loop.call_later(0.05, latch.set)
            case _:
                threading.Timer(0.05, latch.set).start()
        began = time.monotonic()
        return await LoopNetwork().run(one(Wait(latch, 10))), time.monotonic() - began

    is_set, took = asyncio.run(main())
    assert is_set
    assert took < SOON_S


def test_wait_ends_with_its_time_and_leaves_nothing_behind(network):
    latch = Latch()
    assert asyncio.run(LoopNetwork().run(one(Wait(latch, 0.02)))) is False
    assert latch._callbacks == []


def test_many_wait_for_one_latch(network):
    latch = Latch()

    async def main() -> list[bool]:
        loop = LoopNetwork()
        threading.Timer(0.05, latch.set).start()
        return await asyncio.gather(*(loop.run(one(Wait(latch, 10))) for _ in range(500)))

    assert all(asyncio.run(main()))


def test_start_goes_its_own_way_and_outlives_who_started_it(network):
    latch, ends = Latch(), []

    def beside() -> Steps[None]:
        yield Wait(latch, 10)
        ends.append("beside")

    def first() -> Steps[None]:
        yield Start(beside())
        ends.append("first")

    async def main() -> None:
        loop = LoopNetwork()
        await loop.run(first())
        assert ends == ["first"]
        latch.set()
        async with asyncio.timeout(5):
            while loop._beside:
                await asyncio.sleep(0)

    asyncio.run(main())
    assert ends == ["first", "beside"]


def test_what_a_started_procedure_raises_is_logged_and_touches_nobody(network, capsys):
    def fail() -> Steps[None]:
        yield Pause(0.0)
        raise ZeroDivisionError

    def first() -> Steps[str]:
        yield Start(fail())
        yield Pause(0.05)
        return "done"

    assert asyncio.run(LoopNetwork().run(first())) == "done"
    assert "ended by an error of its own" in "".join(capsys.readouterr())  # wherever logs go by then


@pytest.mark.parametrize("effect", ["pause", "wait", "call"])
def test_procedure_that_is_cancelled_is_closed_where_it_waits(network, unary_address, effect):  # noqa: F811
    latch, closed = Latch(), []
    effects: dict[str, Effect] = {
        "pause": Pause(10),
        "wait": Wait(latch, 10),
        "call": Call(unary_address, lookup("hang"), 5),
    }

    def steps() -> Steps[None]:
        try:
            yield effects[effect]
        finally:
            closed.append(effect)

    async def main() -> None:
        running = asyncio.ensure_future(LoopNetwork().run(steps()))
        await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    began = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - began < 1.0
    assert (closed, latch._callbacks) == ([effect], [])
