import pytest

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Effect, Pause, Steps, run_steps


def test_effects_are_performed_in_order_and_answers_come_back():
    def procedure() -> Steps[list[str]]:
        first = yield Pause(1)
        second = yield Pause(2)
        return [first, second]

    assert run_steps(procedure(), lambda effect: f"did {effect}") == [
        "did Pause(seconds=1)",
        "did Pause(seconds=2)",
    ]


def test_failure_of_an_effect_is_raised_where_it_was_yielded():
    def procedure() -> Steps[str]:
        try:
            yield Pause(1)
        except RpcFailure as failure:
            return f"saw {failure.message}"
        return "saw nothing"

    def perform(_effect: Effect) -> None:
        raise RpcFailure(Reason.UNKNOWN, "no")

    assert run_steps(procedure(), perform) == "saw no"


def test_what_a_procedure_raises_is_raised():
    def procedure() -> Steps[None]:
        yield Pause(1)
        raise KeyError("x")

    with pytest.raises(KeyError):
        run_steps(procedure(), lambda effect: None)
