import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from contextlib import contextmanager

import grpc
import pytest

from common.calls.failures import RpcFailure
from common.calls.network import Network
from common.calls.reasons import Reason
from common.calls.statuses import aborting_on_failures
from common.calls.steps import Call, Guarded, Pause, Steps, Together, Wait
from common.calls.streams import CallStreamServicer
from common.process.latch import Latch
from common.process.request_context import current_request_id, working_for
from deploy.systems.waiting import wait_until
from protos import calls_pb2_grpc, catalog_pb2, catalog_pb2_grpc

Response = catalog_pb2.UpdateStockResponse


def update(name: str) -> catalog_pb2.UpdateStockRequest:
    return catalog_pb2.UpdateStockRequest(trades=[catalog_pb2.NewOrder(stock_name=name)])


class FakeCatalog(catalog_pb2_grpc.CatalogServiceServicer):
    """Does what the stock's name says."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.entered = threading.Semaphore(0)
        self.updated: list[str] = []
        self.deserted = threading.Event()

    def UpdateStock(self, request, context):
        self.updated.append(request.trades[0].stock_name)
        with aborting_on_failures(context):
            match request.trades[0].stock_name:
                case "fenced":
                    raise RpcFailure(Reason.FENCED, "epoch 3 is not 4", metadata={"epoch": 4})
                case "bug":
                    raise KeyError("secret")
                case "hang":
                    self.entered.release()
                    self.release.wait(10)
                    if not context.is_active():
                        self.deserted.set()
                case "id":
                    return answer(current_request_id())
                case "left":
                    return answer("soon" if context.time_remaining() <= 5 else "late")
            return answer(request.trades[0].stock_name)


def answer(text: str) -> Response:
    return Response(results=[catalog_pb2.TradeResult(row=text.encode())])


def text_of(response: Response) -> str:
    return response.results[0].row.decode()


class Streams(CallStreamServicer):
    """Counts the streams that were opened."""

    opened = 0

    def Carry(self, request_iterator, context):
        self.opened += 1
        return super().Carry(request_iterator, context)


@pytest.fixture
def catalog() -> Iterator[FakeCatalog]:
    yield (catalog := FakeCatalog())  # type: ignore[abstract]
    catalog.release.set()


@pytest.fixture
def streams(catalog: FakeCatalog) -> Streams:
    return Streams({catalog_pb2.UpdateStockRequest: catalog.UpdateStock})


@contextmanager
def serving(catalog: FakeCatalog, streams: CallStreamServicer, address: str = "127.0.0.1:0") -> Iterator[str]:
    server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    catalog_pb2_grpc.add_CatalogServiceServicer_to_server(catalog, server)
    calls_pb2_grpc.add_CallStreamServiceServicer_to_server(streams, server)
    port = server.add_insecure_port(address)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


@pytest.fixture
def address(catalog: FakeCatalog, streams: Streams) -> Iterator[str]:
    with serving(catalog, streams) as address:
        yield address


@pytest.fixture
def network() -> Iterator[Network]:
    yield (network := Network())
    network.close()


def failure_of(call: Callable[[], object]) -> RpcFailure:
    with pytest.raises(RpcFailure) as caught:
        call()
    return caught.value


def test_calls_go_over_one_stream_one_after_the_other(network, address, streams):
    assert [text_of(network.call(address, update(str(i)), 5)) for i in range(20)] == [str(i) for i in range(20)]
    assert streams.opened == 1


def test_a_failure_arrives_as_it_was_raised_and_the_stream_goes_on(network, address, streams):
    failure = failure_of(lambda: network.call(address, update("fenced"), 5))
    assert (failure.code, failure.reason, failure.message) == (
        grpc.StatusCode.ABORTED,
        Reason.FENCED,
        "epoch 3 is not 4",
    )
    assert failure.number("epoch") == 4
    assert failure.was_answered
    assert text_of(network.call(address, update("next"), 5)) == "next"
    assert streams.opened == 1


def test_a_bug_in_a_handler_is_internal_and_keeps_its_secrets(network, address):
    failure = failure_of(lambda: network.call(address, update("bug"), 5))
    assert failure.reason is Reason.INTERNAL
    assert "secret" not in failure.message


def test_the_callee_works_for_the_callers_request_and_for_none_afterwards(network, address):
    with working_for("req-1"):
        assert text_of(network.call(address, update("id"), 5)) == "req-1"
    assert text_of(network.call(address, update("id"), 5)) == ""


def test_the_callee_knows_how_long_the_caller_waits(network, address):
    assert text_of(network.call(address, update("left"), 4)) == "soon"
    assert text_of(network.call(address, update("left"), 60)) == "late"


def guarded(address: str, is_alive: Callable[[], Steps[bool]], timeout_s: float = 10.0) -> Steps[Response]:
    return (yield Guarded(Call(address, update("hang"), timeout_s), 0.02, is_alive))


def test_a_call_to_a_process_that_is_found_dead_is_given_up(network, address, streams):
    def is_alive() -> Steps[bool]:
        yield Pause(0.0)
        return False

    failure = failure_of(lambda: network.run(guarded(address, is_alive)))
    assert (failure.reason, failure.was_sent) == (Reason.NO_ANSWER, True)
    assert text_of(network.call(address, update("next"), 5)) == "next"
    assert streams.opened == 2


def test_a_call_to_a_process_that_is_merely_slow_is_waited_for_and_that_is_looked_at_again(network, address, catalog):
    looks: list[None] = []

    def is_alive() -> Steps[bool]:
        yield Pause(0.0)
        looks.append(None)
        if len(looks) == 3:
            catalog.release.set()
        return True

    assert text_of(network.run(guarded(address, is_alive))) == "hang"
    assert len(looks) == 3


def test_a_look_that_ends_behind_the_call_does_not_end_the_next_call_on_its_stream(network, address, catalog, streams):
    looking, looked = Latch(), threading.Event()

    def is_alive() -> Steps[bool]:
        catalog.release.set()
        yield Wait(looking, 5)
        looked.set()
        return False

    assert text_of(network.run(guarded(address, is_alive))) == "hang"
    catalog.release.clear()
    with futures.ThreadPoolExecutor(1) as caller:
        next_call = caller.submit(network.call, address, update("hang"), 5)
        for _ in range(2):  # of the first call, and of this one
            assert catalog.entered.acquire(timeout=5)
        looking.set()
        assert looked.wait(5)
        catalog.release.set()
        assert text_of(next_call.result(5)) == "hang"
    assert streams.opened == 1


def test_no_answer_in_time_and_the_callee_sees_that_nobody_waits(network, address, catalog, streams):
    failure = failure_of(lambda: network.call(address, update("hang"), 0.1))
    assert (failure.reason, failure.was_answered, failure.was_sent) == (Reason.NO_ANSWER, False, True)
    # Another call is not held up by it.
    assert text_of(network.call(address, update("next"), 5)) == "next"
    assert streams.opened == 2
    catalog.release.set()
    assert catalog.deserted.wait(5)


def test_calls_side_by_side_have_a_stream_each(network, address, catalog, streams):
    def procedure() -> Steps[list]:
        def release() -> None:
            assert all(catalog.entered.acquire(timeout=5) for _ in range(3))
            catalog.release.set()

        return (yield Together([Call(address, update("hang"), 5)] * 3, meanwhile=release))

    assert [text_of(one) for one in network.run(procedure())] == ["hang"] * 3
    network.call(address, update("next"), 5)
    assert streams.opened == 3


def test_nobody_listens(network):
    failure = failure_of(lambda: network.call("127.0.0.1:1", update("ACME"), 5))
    assert (failure.reason, failure.was_sent) == (Reason.UNREACHABLE, False)


def test_a_callee_that_goes_away_with_a_call_may_have_executed_it(network, catalog, streams):
    failures: list[RpcFailure] = []
    with serving(catalog, streams) as address:
        call = threading.Thread(
            target=lambda: failures.append(failure_of(lambda: network.call(address, update("hang"), 5)))
        )
        call.start()
        assert catalog.entered.acquire(timeout=5)
    call.join(5)
    assert [(failure.was_answered, failure.was_sent) for failure in failures] == [(False, True)]


def test_a_callee_that_was_restarted_meanwhile_answers(network, catalog, streams):
    with serving(catalog, streams) as address:
        network.call(address, update("first"), 5)
        idle = network._open().streams._idle[address][0]
    wait_until(lambda: not idle.is_free, 5, "the caller sees that the callee is gone")
    with serving(catalog, streams, address):
        wait_until(lambda: is_answered(network, address), 5, "an answer of the callee that was restarted")
    assert streams.opened >= 2


def is_answered(network: Network, address: str) -> bool:
    """Whether a call is answered: just after a restart gRPC may not have connected anew, and sends nothing."""
    try:
        network.call(address, update("again"), 1)
    except RpcFailure as failure:
        if failure.was_sent:
            raise
        return False
    return True


def test_a_callee_that_has_too_many_streams_does_nothing_and_says_so(network, catalog, monkeypatch):
    monkeypatch.setattr("common.calls.streams.STREAM_COUNT", 1)
    other = Network()
    with serving(catalog, Streams({catalog_pb2.UpdateStockRequest: catalog.UpdateStock})) as address:
        other.call(address, update("first"), 5)
        failure = failure_of(lambda: network.call(address, update("second"), 5))
        assert (failure.code, failure.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.TOO_MANY_STREAMS)
        other.close()
        wait_until(lambda: is_given_a_place(network, address), 5, "the place of a caller that is gone")
    assert "second" not in catalog.updated


def is_given_a_place(network: Network, address: str) -> bool:
    try:
        network.call(address, update("third"), 5)
    except RpcFailure as failure:
        if failure.reason is not Reason.TOO_MANY_STREAMS:
            raise
        return False
    return True


def together(address: str, names: Sequence[str], timeout_s: float, meanwhile: Callable[[], None]) -> Steps[list]:
    return (yield Together([Call(address, update(name), timeout_s) for name in names], meanwhile))


@pytest.mark.parametrize("names", [("hang", "fine"), ("fine", "hang")])
def test_an_answer_counts_although_another_call_of_the_same_time_out_is_silent(network, address, names):
    for _ in range(5):
        outcomes = dict(zip(names, network.run(together(address, names, 0.1, lambda: None)), strict=True))
        assert outcomes["hang"].reason is Reason.NO_ANSWER
        assert text_of(outcomes["fine"]) == "fine"


def test_answers_count_although_the_caller_was_busy_for_longer_than_their_time_out(network, address, catalog):
    def be_busy() -> None:
        wait_until(lambda: len(catalog.updated) == 2, 5, "both calls")
        threading.Event().wait(0.2)  # the time-out passes: that is what is tried

    outcomes = network.run(together(address, ("a", "b"), 0.1, be_busy))
    assert list(map(text_of, outcomes)) == ["a", "b"]


def test_what_meanwhile_raises_is_raised_when_all_calls_are_over(network, address, catalog, streams):
    def fail() -> None:
        assert catalog.entered.acquire(timeout=5)
        catalog.release.set()
        raise RpcFailure(Reason.DISK_FULL, "disk")

    with pytest.raises(RpcFailure, match="disk"):
        network.run(together(address, ("hang",), 5, fail))
    network.call(address, update("next"), 5)
    assert streams.opened == 1  # the stream was free again


def test_an_unforeseen_error_in_one_call_is_raised_when_the_others_are_over(network, address, catalog, monkeypatch):
    def parse(_data: bytes) -> Response:
        raise ValueError("no response")

    monkeypatch.setattr(Response, "FromString", parse)
    with pytest.raises(ValueError, match="no response"):
        network.run(together(address, ("a", "hang"), 0.3, lambda: None))
    assert catalog.entered.acquire(blocking=False)
    assert len(network._open().streams._idle[address]) == 1


def test_a_stream_whose_call_was_interrupted_is_not_used_again(network, address, catalog, streams):
    """Its answer comes later, and must not be taken for that of another call."""
    stream = network._open().streams.take(address)
    stream.send(update("hang"), 5, "")
    assert catalog.entered.acquire(timeout=5)
    network._open().streams.give_back(stream)
    catalog.release.set()
    assert text_of(network.call(address, update("next"), 5)) == "next"
    assert streams.opened == 2


def test_a_stream_that_was_idle_for_long_is_not_used_again(network, address, streams, monkeypatch):
    network.call(address, update("first"), 5)
    monkeypatch.setattr("common.calls.streams.FRESH_S", 0.0)
    network.call(address, update("second"), 5)
    assert streams.opened == 2


def test_few_streams_are_kept_open(network, address, catalog):
    def procedure() -> Steps[list]:
        catalog.release.set()
        return (yield Together([Call(address, update("hang"), 5)] * 7))

    network.run(procedure())
    assert len(network._open().streams._idle[address]) == 4
