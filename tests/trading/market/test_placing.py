import pytest

from common.calls.failures import RpcFailure, failure_from_wire
from common.calls.reasons import Reason
from protos import order_pb2
from tests.trading.fake_network import FakeClock, FakeNetwork, refusal
from trading.market.placing import Placing
from trading.replicas.election import LeaderAndEpoch

OLD, NEW = LeaderAndEpoch(3, "order:3", 1), LeaderAndEpoch(2, "order:2", 2)
PLACED = order_pb2.PlaceOrderResponse(order=order_pb2.Order(transaction_number=1))


class Script:
    """What the attempts, and the searches for a leader, come to, in order; the last one for ever."""

    def __init__(self, attempts, finds=(OLD,), attempt_s=0.0):
        self.clock = FakeClock()
        self.attempts, self.finds, self.attempt_s = list(attempts), list(finds), attempt_s
        self.tried, self.failed = [], []

    def place(self, budget_s=8.0):
        self.begun, self.deadline = self.clock.now, self.clock.now + budget_s
        placing = Placing(self.find, self.attempt, self.clock, self.deadline)
        return FakeNetwork(self.clock).run(placing.steps())

    @property
    def seconds(self):
        return self.clock.now - self.begun

    def find(self, failed, deadline):
        assert deadline == self.deadline
        yield from ()
        self.failed.append(failed and (failed[0], failed[1].reason))
        return self._next(self.finds)

    def attempt(self, leadership, deadline):
        assert deadline == self.deadline
        yield from ()
        self.tried.append(leadership)
        self.clock.now += self.attempt_s
        return self._next(self.attempts)

    @staticmethod
    def _next(script):
        outcome = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def unsent(reason):
    return refusal(reason).again(was_sent=False)


def fails(script):
    with pytest.raises(RpcFailure) as failure:
        script.place()
    return failure.value.may_be_executed, failure.value.reason


@pytest.mark.parametrize(
    "reason", [Reason.UNREACHABLE, Reason.NO_ANSWER, Reason.NOT_LEADER, Reason.STEPPED_DOWN, Reason.HALTED]
)
def test_the_leader_that_failed_is_replaced_and_the_order_goes_to_the_next(reason):
    script = Script([refusal(reason), PLACED], [OLD, NEW])
    assert script.place() == PLACED
    assert script.tried == [OLD, NEW]
    assert script.failed == [None, (OLD, reason)]
    assert script.seconds == 0


@pytest.mark.parametrize(
    "reason", [Reason.NO_ANSWER_YET, Reason.TOO_FEW_REPLICAS, Reason.QUEUE_FULL, Reason.DISK_FULL, Reason.CATALOG]
)
def test_others_are_asked_again_without_an_election(reason):
    script = Script([refusal(reason), refusal(reason), PLACED])
    assert script.place() == PLACED
    assert script.failed == [None, None, None]
    assert 0 < script.seconds < 0.2


@pytest.mark.parametrize(
    "reason", [Reason.UNKNOWN_STOCK, Reason.INSUFFICIENT_STOCK, Reason.STOCK_LIMIT, Reason.KEY_REUSED]
)
@pytest.mark.parametrize("before", [[], [refusal(Reason.NO_ANSWER)]])
def test_a_refusal_is_final_whatever_came_before(reason, before):
    script = Script([*before, refusal(reason, available=2)])
    with pytest.raises(RpcFailure) as failure:
        script.place()
    assert (failure.value.may_be_executed, failure.value.reason) == (False, reason)
    assert failure.value.metadata == {"available": "2"}


@pytest.mark.parametrize(
    ("reason", "told", "least_s", "most_s"),
    [
        (Reason.CATALOG, Reason.CATALOG, 1.0, 2.0),
        (Reason.QUEUE_FULL, Reason.QUEUE_FULL, 0.5, 1.5),
        (Reason.DISK_FULL, Reason.DISK_FULL, 0.5, 1.5),
        (Reason.HALTED, Reason.HALTED, 0.5, 1.5),
        (Reason.NOT_LEADER, Reason.NO_LEADER, 7.0, 8.0),
    ],
)
def test_what_was_never_executed_is_told_soon(reason, told, least_s, most_s):
    script = Script([refusal(reason)])
    assert fails(script) == (False, told)
    assert least_s <= script.seconds <= most_s


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (Reason.NOT_LEADER, "no leader took the order in its time: why"),
        (Reason.NO_ANSWER, "It is not known whether the order was executed: why"),
        (Reason.CATALOG, "why"),
    ],
)
def test_the_last_word_says_what_was_the_trouble(reason, told):
    with pytest.raises(RpcFailure) as failure:
        Script([RpcFailure(reason, "why")]).place()
    assert failure.value.message == told


def test_patience_begins_anew_with_another_trouble():
    troubles = [refusal(Reason.CATALOG), refusal(Reason.QUEUE_FULL)] * 3
    script = Script([*troubles, PLACED], attempt_s=0.7)
    assert script.place() == PLACED
    assert script.seconds > 4


def test_pauses_double_up_to_the_longest_and_end_with_the_time():
    steps = Placing(Script([]).find, Script([refusal(Reason.NOT_LEADER)]).attempt, lambda: 0.0, 0.5)._next_pause
    assert [steps().seconds for _ in range(7)] == [0.02, 0.04, 0.08, 0.16, 0.32, 0.4, 0.4]
    late = Placing(Script([]).find, Script([]).attempt, lambda: 0.49, 0.5)._next_pause
    assert late().seconds == pytest.approx(0.01)


@pytest.mark.parametrize("reason", [Reason.NO_LEADER, Reason.CATALOG, Reason.HALTED])
def test_a_search_without_a_leader_is_told_within_about_two_seconds(reason):
    script = Script([PLACED], [refusal(reason)])
    assert fails(script) == (False, reason)
    assert script.seconds <= 2.4
    assert script.tried == []


@pytest.mark.parametrize(
    "first", [Reason.UNREACHABLE, Reason.NO_ANSWER, Reason.STEPPED_DOWN, Reason.NO_ANSWER_YET, Reason.INTERNAL]
)
@pytest.mark.parametrize(
    "then", [Reason.CATALOG, Reason.QUEUE_FULL, Reason.DISK_FULL, Reason.HALTED, Reason.NOT_LEADER, Reason.NO_ANSWER]
)
def test_once_an_attempt_may_have_been_executed_only_unknown_is_left(first, then):
    script = Script([refusal(first), refusal(then)])
    assert fails(script) == (True, Reason.OUTCOME_UNKNOWN)
    assert 7.0 <= script.seconds <= 8.0


@pytest.mark.parametrize("then", [Reason.NO_LEADER, Reason.CATALOG, Reason.HALTED])
def test_a_search_that_fails_later_does_not_make_the_order_known(then):
    script = Script([refusal(Reason.NO_ANSWER)], [OLD, refusal(then)], attempt_s=1.5)
    assert fails(script) == (True, Reason.OUTCOME_UNKNOWN)
    assert 7.0 <= script.seconds <= 8.0


def test_a_call_that_was_never_sent_leaves_the_order_not_executed():
    script = Script([unsent(Reason.UNREACHABLE)], [OLD, refusal(Reason.NO_LEADER)])
    assert fails(script) == (False, Reason.NO_LEADER)
    assert script.seconds <= 2.4


def test_too_few_replicas_to_the_end_is_not_replicated():
    script = Script([refusal(Reason.TOO_FEW_REPLICAS)], attempt_s=1.0)
    assert fails(script) == (True, Reason.NOT_REPLICATED)
    assert script.seconds <= 8.5


def test_time_outs_after_too_few_replicas_do_not_hide_it():
    script = Script([refusal(Reason.TOO_FEW_REPLICAS), refusal(Reason.NO_ANSWER)], attempt_s=1.0)
    assert fails(script) == (True, Reason.NOT_REPLICATED)


def test_another_answer_after_too_few_replicas_does():
    script = Script([refusal(Reason.TOO_FEW_REPLICAS), refusal(Reason.NOT_LEADER)], attempt_s=1.0)
    assert fails(script) == (True, Reason.OUTCOME_UNKNOWN)


def test_a_slow_leader_is_asked_again_after_a_pause():
    script = Script([refusal(Reason.NO_ANSWER), PLACED], [OLD, OLD], attempt_s=0.0)
    assert script.place() == PLACED
    assert script.seconds > 0


def test_a_leader_without_the_catalog_is_replaced_after_a_while_only():
    script = Script([refusal(Reason.CATALOG)])
    fails(script)
    replaced_at = script.failed.index((OLD, Reason.CATALOG))
    assert replaced_at >= 3
    assert script.failed[1:replaced_at] == [None] * (replaced_at - 1)


def test_a_leader_without_the_catalog_is_replaced_however_slowly_it_says_so():
    """Each attempt lasts longer than an order's patience: it must not be given up before another leader was sought."""
    script = Script([refusal(Reason.CATALOG), refusal(Reason.CATALOG), PLACED], [OLD, OLD, NEW], attempt_s=1.4)
    assert script.place() == PLACED
    assert script.tried == [OLD, OLD, NEW]
    assert script.failed[-1] == (OLD, Reason.CATALOG)


def test_an_invalid_order_is_not_tried_again():
    script = Script([refusal(Reason.INVALID_ARGUMENT)])
    assert fails(script) == (False, Reason.INVALID_ARGUMENT)
    assert len(script.tried) == 1


def test_the_leaders_own_word_on_the_outcome_counts():
    doubtful = failure_from_wire(8, "DISK_FULL", "no room", {}, outcome_unknown=True)
    script = Script([doubtful])
    assert fails(script) == (True, Reason.OUTCOME_UNKNOWN)


def test_never_connected_is_not_executed():
    """All replicas are down: the caller hears 503, not "unknown"."""
    refused = refusal(Reason.UNREACHABLE)
    refused.was_sent = False
    script = Script([refused], finds=[OLD, RpcFailure(Reason.NO_LEADER, "nobody answers")])
    assert fails(script) == (False, Reason.NO_LEADER)
