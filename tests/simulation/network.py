"""The network between simulated processes: messages are lost, late, doubled and overtake each other; links are cut."""

from collections.abc import Callable
from dataclasses import dataclass

from common.failures import NO_ANSWER, UNREACHABLE, RpcFailure
from common.steps import Call, Outcome
from protos import catalog_pb2, order_pb2
from tests.simulation.process import Process, Request, Respond
from tests.simulation.world import World

# One message of these executes at most once: gRPC neither repeats nor doubles a call, who sends an order again says
# so, and a price that is set twice is the older one again. The rest may be doubled all the same: the protocol says
# that it bears it.
NEVER_DOUBLED = (order_pb2.PlaceOrdersRequest, order_pb2.NewOrder, catalog_pb2.SetStockRequest)
SHORTEST_DELAY_S = 0.0002
LATEST_S = 4.0


@dataclass
class Weather:
    """How bad the network is.

    Attributes:
        loss: part of the messages that are lost; as many are very late.
        doubling: part of the requests that arrive twice.
        longest_delay_s: of a message that is not very late.
    """

    loss: float = 0.0
    doubling: float = 0.0
    longest_delay_s: float = 0.002


class Network:
    """Carries requests to their addresses and answers back.

    Attributes:
        cut: source and target address of the links on which nothing passes, each for one direction.
    """

    def __init__(self, world: World) -> None:
        self.weather = Weather()
        self.cut: set[tuple[str, str]] = set()
        self._world = world

    def cut_link(self, source: str, target: str, *, both_ways: bool) -> None:
        """Let nothing pass from one address to another, nor back if so wanted, until `heal`."""
        self.cut.add((source, target))
        if both_ways:
            self.cut.add((target, source))

    def heal(self) -> None:
        """Let messages pass on all links, quickly and once."""
        self.cut.clear()
        self.weather = Weather()

    def send(self, source: Process, call: Call, reply: Respond) -> None:
        """Carry a call to its address, and one answer, or the lack of one, back to the source."""
        world = self._world
        life = source.life
        is_over = False

        def answer(outcome: Outcome) -> None:
            nonlocal is_over
            if not is_over and source.life == life:
                source.later(0.0, lambda: reply(outcome))
            is_over = True

        def give_up() -> None:
            if not is_over and source.life == life:
                answer(RpcFailure(f"{call.address}: no answer in time", reason=NO_ANSWER))
                self._carry(source.address, call.address, request.cancel)

        def respond(outcome: Outcome) -> None:
            if world.is_verbose:
                world.note(f"  {call.address} -> {source.address} {_text(outcome)}")
            self._carry(call.address, source.address, lambda: answer(outcome))

        request = Request(call.request, call.timeout_s, respond)
        world.at(call.timeout_s, give_up)
        if world.is_verbose:
            world.note(f"  {source.address} -> {call.address} {_text(call.request)}")
        self._carry(source.address, call.address, lambda: self._arrive(call.address, request))
        may_double = self.weather.doubling and not isinstance(call.request, NEVER_DOUBLED)
        if may_double and world.random.random() < self.weather.doubling:
            world.faults["doubled request"] += 1
            self._carry(source.address, call.address, lambda: self._arrive(call.address, request))

    def _arrive(self, address: str, request: Request) -> None:
        target = self._world.processes[address]
        if target.is_alive:
            target.take_in(request)
            return
        refused = RpcFailure(f"{address}: connection refused", reason=UNREACHABLE)
        refused.was_sent = False
        request.respond(refused)

    def _carry(self, source: str, target: str, deliver: Callable[[], None]) -> None:
        world, weather = self._world, self.weather
        if self.cut and (source, target) in self.cut:
            return
        chance = world.random.random()
        if chance < weather.loss:
            world.faults["lost message"] += 1
        elif chance < 2 * weather.loss:  # later than most wait for it
            world.faults["late message"] += 1
            world.at(world.random.uniform(0.3, LATEST_S), deliver)
        else:
            world.at(SHORTEST_DELAY_S + chance * weather.longest_delay_s, deliver)


def _text(message: Outcome) -> str:
    if isinstance(message, RpcFailure):
        return str(message)
    return f"{type(message).__name__} {' '.join(str(message).split())[:300]}"
