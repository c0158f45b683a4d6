"""One link between a gRPC client and server, broken in each way."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent import futures
from pathlib import Path

import grpc
import pytest
from google.protobuf.message import Message

from deploy.systems.waiting import wait_until
from protos import catalog_pb2
from tests.chaos.proxy import REPLIES, REQUESTS, Link, Links

ROOT = Path(__file__).parent.parent.parent

# Calls HealthCheck once for each line that it reads, with the time-out that stands there, and prints what came of it.
CALLER = """
import sys, time
from common.calls.network import Network
from common.calls.failures import RpcFailure
from protos import catalog_pb2
network = Network()
for line in sys.stdin:
    started = time.monotonic()
    try:
        answer = network.call(sys.argv[1], catalog_pb2.CatalogHealthRequest(), float(line)).epoch
    except RpcFailure as failure:
        answer = failure.wire_reason
    print(answer, time.monotonic() - started, flush=True)
"""


class Counter:
    """A catalog's HealthCheck that answers with the number of the call."""

    calls = 0

    def answer(self, _request: catalog_pb2.CatalogHealthRequest, _context: grpc.ServicerContext) -> Message:
        self.calls += 1
        return catalog_pb2.CatalogHealthResponse(epoch=self.calls)

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        """Return what a server has to be given."""
        health = grpc.unary_unary_rpc_method_handler(
            self.answer,
            catalog_pb2.CatalogHealthRequest.FromString,
            catalog_pb2.CatalogHealthResponse.SerializeToString,
        )
        service = catalog_pb2.DESCRIPTOR.services_by_name["CatalogService"].full_name
        return [grpc.method_handlers_generic_handler(service, {"HealthCheck": health})]


class Caller:
    """A process that calls an address."""

    def __init__(self, address: str, environment: Mapping[str, str]) -> None:
        self.address = address
        self.process = subprocess.Popen(
            [sys.executable, "-c", CALLER, address],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, timeout_s: float = 5.0) -> tuple[str, float]:
        """Return the number of the call, or the reason of its failure, and the seconds that it took."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{timeout_s}\n")
        self.process.stdin.flush()
        answer, seconds = self.process.stdout.readline().split()
        return answer, float(seconds)

    def end(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def counter() -> Counter:
    return Counter()


@pytest.fixture(scope="module")
def rig(counter: Counter) -> Iterator[tuple[Links, Caller]]:
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers(counter.handlers())
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    links = Links({address: "catalog"})
    caller = Caller(address, links.environment("caller"))
    yield links, caller
    caller.end()
    links.close()
    server.stop(0).wait()


@pytest.fixture
def link(rig: tuple[Links, Caller]) -> Iterator[Link]:
    found = rig[0].between("caller", "catalog")
    yield found
    found.heal()


@pytest.fixture
def caller(rig: tuple[Links, Caller], link: Link) -> Caller:
    """The caller, connected."""
    wait_until(lambda: rig[1].call()[0].isdigit(), 10, "an answer")
    return rig[1]


def test_cut_fails_at_once_and_heals(link: Link, caller: Caller, counter: Counter):
    before = counter.calls
    link.cut()
    answer, seconds = caller.call()
    assert (answer, counter.calls) == ("UNREACHABLE", before)
    assert seconds < 2
    link.heal()
    wait_until(lambda: caller.call()[0].isdigit(), 10, "an answer")


def test_silence_tells_nobody(link: Link, caller: Caller, counter: Counter):
    before = counter.calls
    link.silence()
    assert caller.call(0.3)[0] == "NO_ANSWER"
    assert counter.calls == before
    link.heal()
    wait_until(lambda: caller.call()[0].isdigit(), 10, "an answer")


def test_links_of_one_process_fall_silent_together(
    rig: tuple[Links, Caller], link: Link, caller: Caller, counter: Counter
):
    before = counter.calls
    rig[0].silence("caller", ["somebody else", "catalog"])
    assert caller.call(0.3)[0] == "NO_ANSWER"
    assert counter.calls == before
    rig[0].heal()
    wait_until(lambda: caller.call()[0].isdigit(), 10, "an answer")


def test_lost_replies_were_acted_upon(link: Link, caller: Caller, counter: Counter):
    before = counter.calls
    link.lose(REPLIES)
    assert caller.call(0.3)[0] == "NO_ANSWER"
    assert counter.calls == before + 1
    link.heal()
    wait_until(lambda: caller.call()[0].isdigit(), 10, "an answer")


def test_held_requests_arrive_late(link: Link, caller: Caller, counter: Counter):
    before = counter.calls
    link.hold(REQUESTS)
    assert caller.call(0.3)[0] == "NO_ANSWER"
    assert counter.calls == before
    link.heal()
    assert caller.call()[0].isdigit()


def test_delay_is_added_to_each_answer(link: Link, caller: Caller):
    link.delay(0.2)
    answer, seconds = caller.call()
    assert answer.isdigit()
    assert 0.2 <= seconds < 1


def test_other_links_are_untouched(rig: tuple[Links, Caller], caller: Caller):
    rig[0].between("caller", "order-1").cut()
    rig[0].between("order-1", "catalog").cut()
    assert caller.call()[0].isdigit()
    rig[0].heal()


@pytest.mark.parametrize("variable", ["http_proxy", "https_proxy"])
def test_a_proxy_for_the_web_is_not_asked(rig: tuple[Links, Caller], variable: str):
    """Many a machine has one in its environment; it knows nothing of our processes."""
    caller = Caller(rig[1].address, {variable: "http://127.0.0.1:9"})
    try:
        assert caller.call()[0].isdigit()
    finally:
        caller.end()
