"""The closed list of reasons: what it says of orders, and that it is whole and alive."""

import ast
import re
from collections.abc import Iterator
from math import inf
from pathlib import Path

import grpc
import pytest

from common.calls.reasons import Reason, Verdict

ROOT = Path(__file__).parents[3]
PRODUCT = [
    path
    for package in ("common", "backends", "trading", "frontend_site", "deploy")
    for path in sorted((ROOT / package).rglob("*.py"))
]

# The question on which an acknowledged order hangs. Whoever changes a verdict changes it here too, on purpose.
FINAL = {"UNKNOWN_STOCK", "INSUFFICIENT_STOCK", "STOCK_LIMIT", "KEY_REUSED"}
# What a leader, or the search for one, answers an order with; then what the frontend itself refuses before it asks.
NOTHING_DONE = {
    *(
        "NOT_LEADER",
        "INVALID_ARGUMENT",
        "QUEUE_FULL",
        "TOO_MANY_STREAMS",
        "DISK_FULL",
        "CATALOG",
        "HALTED",
        "DAMAGED",
        "NO_LEADER",
        "WRONG_REPLICA",
        "WRONG_CLUSTER",
    ),
    *("MALFORMED_JSON", "UNAUTHENTICATED", "PERMISSION_DENIED", "METHOD_NOT_ALLOWED", "NOT_ACCEPTABLE"),
    *("UNSUPPORTED_MEDIA_TYPE", "BODY_LATE", "RATE_LIMITED", "OVERLOADED", "SHUTTING_DOWN", "ABANDONED"),
    # No order is answered so: reads, and what operators ask for.
    *("UNKNOWN_ORDER", "REPLICA_NOT_FOUND", "JOB_NOT_FOUND", "PATH_NOT_FOUND", "INVALID_CURSOR"),
    *("TARGET_NOT_IN_SYNC", "REPLICA_LEADS"),
}


def test_what_each_reason_says_of_an_order():
    verdicts = {verdict: {one.name for one in Reason if one.verdict is verdict} for verdict in Verdict}
    assert verdicts[Verdict.FINAL] == FINAL
    assert verdicts[Verdict.NOTHING_DONE] == NOTHING_DONE
    assert verdicts[Verdict.PERHAPS] == set(Reason.__members__) - FINAL - NOTHING_DONE


def test_a_reason_that_this_version_does_not_have_leaves_the_order_perhaps_executed():
    assert Reason.named("NEVER_HEARD_OF") is Reason.UNKNOWN
    assert Reason.UNKNOWN.may_be_executed


def test_silence_leaves_the_order_perhaps_executed():
    assert all(reason.may_be_executed for reason in Reason if reason.is_silence)


def test_equal_rows_are_reasons_of_their_own():
    assert {name for name, reason in Reason.__members__.items() if reason.name != name} == set()
    assert [reason.value for reason in Reason] == list(range(len(Reason)))


def test_an_order_is_tried_for_a_while_only_against_what_did_nothing_and_may_heal():
    for reason in Reason:
        if reason.patience_s < inf:
            assert (reason.verdict, reason.is_lasting) == (Verdict.NOTHING_DONE, False), reason
        if reason.verdict is Verdict.FINAL:
            assert reason.is_lasting, reason


def test_the_status_that_callers_see_agrees_with_what_became_of_the_order():
    for reason in Reason:
        if reason.http is not None:
            assert reason.may_be_executed == (reason.http in (500, 504)), reason
            assert (reason.retry_after_s is not None) == (reason.http == 503), reason
        else:
            assert (reason.told_as, reason.retry_after_s) == (reason.name, None), reason


def test_reasons_with_one_name_for_callers_are_one_to_them():
    shown = {
        (one.told_as, one.http, one.code, one.verdict, one.retry_after_s) for one in Reason if one.http is not None
    }
    assert len(shown) == len({name for name, *_ in shown})


@pytest.mark.parametrize("name", ["catalog", "order", "calls"])
def test_reasons_of_a_protocol_are_in_the_list_with_its_codes(name):
    """`CODE (REASON [metadata], REASON)` is how the protos write them."""
    text = re.sub(r"\n\s*//", "", (ROOT / f"protos/{name}.proto").read_text())
    told = {
        (code, reason)
        for code, reasons in re.findall(r"\b([A-Z_]+) \(([^)]*)\)", text)
        for reason in re.findall(r"[A-Z_]{3,}", reasons)
        if code in grpc.StatusCode.__members__
    }
    assert told
    assert {(code, reason) for code, reason in told if Reason.named(reason).code.name != code} == set()


# -- The product's use of the list -------------------------------------------------------------------------------------


def nodes() -> Iterator[tuple[str, ast.AST]]:
    for path in PRODUCT:
        if path.name != "reasons.py":
            for node in ast.walk(ast.parse(path.read_text())):
                yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", node


def is_text(node: ast.AST | None) -> bool:
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(is_text(element) for element in node.elts)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def name_of(node: ast.AST | None) -> str:
    return getattr(node, "attr", getattr(node, "id", ""))


def test_every_reason_is_given_or_asked_for_somewhere():
    used = {name_of(node) for _, node in nodes() if isinstance(node, ast.Attribute) and name_of(node.value) == "Reason"}
    assert {name for name in used if name.isupper()} == set(Reason.__members__)


# Where a reason is given: which argument it is.
GIVEN_AS = {"RpcFailure": 0, "ApiError": 0, "WaitingRoom": 1, "Check": 1}


def is_given_as_text(call: ast.Call) -> bool:
    place = GIVEN_AS.get(name_of(call.func))
    if place is None:
        return False
    named = [keyword.value for keyword in call.keywords if keyword.arg == "reason"]
    return any(map(is_text, [*call.args[place : place + 1], *named]))


def is_looked_up_as_text(node: ast.AST) -> bool:
    match node:
        case ast.Subscript(value=value):
            return name_of(value) == "Reason"
        case ast.Call(func=func, args=args):
            asked = {name_of(one) for one in args} | {one.value for one in args if isinstance(one, ast.Constant)}
            return name_of(func) in ("getattr", "hasattr") and bool(asked & {"Reason", "reason"})
        case ast.Compare(left=left, comparators=others):
            sides = (left, *others)
            is_of_reason = any(name_of(one) in ("reason", "told_as", "wire_reason") for one in sides)
            return is_of_reason and any(map(is_text, sides))
    return False


def test_reasons_are_never_texts():
    """What the types cannot see: `Any`, getattr, a text that would fail only when it is raised."""
    found = [
        place
        for place, node in nodes()
        if is_looked_up_as_text(node) or (isinstance(node, ast.Call) and is_given_as_text(node))
    ]
    assert found == []


def test_rest_answers_with_reasons_that_have_a_status():
    given = {
        name_of(argument)
        for _, node in nodes()
        if isinstance(node, ast.Call) and name_of(node.func) in ("ApiError", "Check")
        for argument in node.args
        if isinstance(argument, ast.Attribute) and name_of(argument.value) == "Reason"
    }
    assert given
    assert {name for name in given if Reason[name].http is None} == set()
