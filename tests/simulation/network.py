"""The network between simulated processes: messages are lost, late, doubled and overtake each other; links are cut."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Call, Outcome
from protos import catalog_pb2, order_pb2
from tests.simulation.process import Process, Request, Respond
from tests.simulation.world import World

# One message of these executes at most once: gRPC neither repeats nor doubles a call, who sends an order again says
# so, and a price that is set twice is the older one again. The rest may be doubled all the same: the protocol says
# that it bears it.
NEVER_DOUBLED = (order_pb2.PlaceOrdersRequest, catalog_pb2.NewOrder, catalog_pb2.SetStockRequest)
SHORTEST_DELAY_S = 0.0002
# A late message takes from the first to the second, any order of magnitude as likely: behind the next messages, behind
# the next orders, behind the end of its sender's patience.
LATE_S = (0.02, 3.0)


@dataclass
class Weather:
    """How bad the network is.

    Attributes:
        loss: part of the messages that are lost.
        lateness: part of the messages that are late, some of them so late that who waited for them has given up.
        doubling: part of the requests that arrive twice.
        longest_delay_s: of a message that is not late.
    """

    loss: float = 0.0
    lateness: float = 0.0
    doubling: float = 0.0
    longest_delay_s: float = 0.002


class Network:
    """Carries requests to their addresses and answers back.

    Attributes:
        cut: source and target address of the links on which nothing passes, each for one direction.
        slow: the longest delay in seconds on slow links, each for one direction.
        misled: the addresses that lead to another process than the one they are given for: to the one of this address.
    """

    def __init__(self, world: World) -> None:
        self.weather = Weather()
        self.cut: set[tuple[str, str]] = set()
        self.slow: dict[tuple[str, str], float] = {}
        self.misled: dict[str, str] = {}
        self._world = world

    def cut_link(self, source: str, target: str, *, both_ways: bool) -> None:
        """Let nothing pass from one address to another, nor back if so wanted, until `heal`."""
        self.cut.add((source, target))
        if both_ways:
            self.cut.add((target, source))

    def heal(self) -> None:
        """Let messages pass on all links, quickly and once."""
        self.cut.clear()
        self.slow.clear()
        self.misled.clear()
        self.weather = Weather()

    def send(self, source: Process, call: Call, reply: Respond) -> None:
        """Carry a call to its address, and one answer, or the lack of one, back to the source."""
        world, address = self._world, self.misled.get(call.address, call.address)
        life = source.life
        is_over = False

        def answer(outcome: Outcome) -> None:
            nonlocal is_over
            if not is_over and source.life == life:
                is_over = True
                source.later(0.0, partial(reply, outcome))

        def give_up() -> None:
            if not is_over and source.life == life:
                answer(RpcFailure(Reason.NO_ANSWER, f"{address}: no answer in time"))
                self._carry(source.address, address, request.cancel)

        def respond(outcome: Outcome) -> None:
            if world.is_verbose:
                world.note(f"  {address} -> {source.address} {_text(outcome)}")
            self._carry(address, source.address, partial(answer, outcome))

        request = Request(call.request, call.timeout_s, respond)
        arrive = partial(self._arrive, world.processes[address], request)
        world.at(max(0.0, call.timeout_s), give_up)
        if world.is_verbose:
            world.note(f"  {source.address} -> {address} {_text(call.request)}")
        self._carry(source.address, address, arrive)
        may_double = self.weather.doubling and not isinstance(call.request, NEVER_DOUBLED)
        if may_double and world.random.random() < self.weather.doubling:
            world.faults["doubled request"] += 1
            world.at(self._late_s(), arrive)

    def _late_s(self) -> float:
        shortest_s, longest_s = LATE_S
        return shortest_s * (longest_s / shortest_s) ** self._world.random.random()

    @staticmethod
    def _arrive(target: Process, request: Request) -> None:
        if request.is_taken is None:
            request.is_taken = target.is_alive
        elif not (request.is_taken and target.is_alive):
            return  # of a request whose connection was refused nothing was sent: no copy of it comes later
        if target.is_alive:
            target.take_in(request)
            return
        refused = RpcFailure(Reason.UNREACHABLE, f"{target.address}: connection refused")
        refused.was_sent = False
        request.respond(refused)

    def _carry(self, source: str, target: str, deliver: Callable[[], None]) -> None:
        world, weather = self._world, self.weather
        if self.cut and (source, target) in self.cut:
            return
        chance = world.random.random()
        longest_s = self.slow.get((source, target), 0.0) if self.slow else 0.0
        if chance < weather.loss:
            world.faults["lost message"] += 1
        elif chance < weather.loss + weather.lateness:
            world.faults["late message"] += 1
            world.at(self._late_s(), deliver)
        else:
            world.at(SHORTEST_DELAY_S + chance * max(weather.longest_delay_s, longest_s), deliver)


def _text(message: Outcome) -> str:
    if isinstance(message, RpcFailure):
        return str(message)
    return f"{type(message).__name__} {' '.join(str(message).split())[:300]}"
