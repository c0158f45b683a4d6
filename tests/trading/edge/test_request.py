"""A request before Django: how its body is read, and what is left of its time."""

import asyncio
from typing import Any

import pytest

from common.calls.reasons import Reason
from trading.api.errors import ApiError
from trading.edge import request as request_module
from trading.edge.request import BODY_TIMEOUT_S, IS_GONE, SWEEP_S, Bodies, ClientGone, EdgeRequest
from trading.market.order_client import ORDER_BUDGET_S


def message(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def request_of(*messages: dict[str, Any], headers: dict[str, str] | None = None, **scope: Any) -> EdgeRequest:
    """Return a request whose body comes in these messages, and then no more."""
    coming = list(messages)

    async def receive() -> dict[str, Any]:
        if not coming:
            await asyncio.get_running_loop().create_future()
        return coming.pop(0)

    named = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    return EdgeRequest({"method": "POST", "path": "/orders", "headers": named} | scope, receive)


def read(*messages: dict[str, Any], most: int = 100, bodies: Bodies | None = None, **headers: str) -> bytes:
    async def main() -> bytes:
        reading = bodies or Bodies(timeout_s=0.05)
        sweeping = asyncio.ensure_future(reading.sweep())
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return await reading.read(request_of(*messages, headers=named), most)
        finally:
            sweeping.cancel()
            assert not reading._deadlines

    return asyncio.run(main())


CHUNKED: dict[str, Any] = {"transfer_encoding": "chunked"}


@pytest.mark.parametrize(
    ("messages", "headers", "body"),
    [
        ([message(b"abc")], {"content_length": "3"}, b"abc"),
        ([message(b"ab", more=True), message(b"c", more=True)], {"content_length": "3"}, b"abc"),
        ([message(b"ab", more=True), message(b"c")], CHUNKED, b"abc"),
        ([message(b"ab", more=True), message(b"", more=True), message(b"c")], CHUNKED, b"abc"),
        ([message(b"")], CHUNKED, b""),
        ([], {"content_length": "0"}, b""),
        ([], {}, b""),
        ([message(b"ab")], {"content_length": "3"}, b"ab"),
    ],
)
def test_body_is_what_has_come_of_it(messages: Any, headers: Any, body: bytes):
    assert read(*messages, **headers) == body


def test_of_a_body_that_is_too_long_no_more_is_read_than_shows_it():
    pieces = [message(b"x" * 60, more=True) for _ in range(1000)]
    assert read(*pieces, **CHUNKED) == b"x" * 120


@pytest.mark.parametrize("messages", [[], [message(b"abc", more=True)]])
@pytest.mark.parametrize("headers", [{"content_length": "9"}, CHUNKED])
def test_body_that_stops_is_late(messages, headers):
    with pytest.raises(ApiError, match=f"after {3 * len(messages)} of") as caught:
        read(*messages, **headers)
    assert caught.value.reason is Reason.BODY_LATE


def test_client_that_goes_is_found_out():
    with pytest.raises(ClientGone):
        read(message(b"abc", more=True), {"type": "http.disconnect"}, content_length="9")


def test_time_counts_from_the_head_whoever_reads_first():
    """Of two, the one that has waited longer for its reader has less time left."""

    async def main() -> None:
        bodies = Bodies(timeout_s=0.3)
        first = request_of(headers={"content-length": "9"})
        first.arrived -= 0.3
        sweeping = asyncio.ensure_future(bodies.sweep())
        began = asyncio.get_running_loop().time()
        with pytest.raises(ApiError):
            await bodies.read(first, 100)
        assert asyncio.get_running_loop().time() - began < 2 * SWEEP_S
        sweeping.cancel()

    asyncio.run(main())


def test_a_stop_ends_all_that_waits_and_lets_nothing_wait_after_it():
    async def main() -> list[Any]:
        bodies = Bodies()
        waiting = [asyncio.ensure_future(bodies.read(request_of(headers={"content-length": "9"}), 100))] * 3
        await asyncio.sleep(0)
        bodies.stop()
        late = bodies.read(request_of(headers={"content-length": "9"}), 100)
        return await asyncio.gather(*waiting, late, return_exceptions=True)

    assert [one.reason for one in asyncio.run(main())] == [Reason.SHUTTING_DOWN] * 4


def test_a_body_that_is_here_is_read_during_a_stop():
    bodies = Bodies()
    bodies._is_stopping = True
    assert read(message(b"abc"), bodies=bodies, content_length="3") == b"abc"


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ({}, 0),
        ({"content-length": "17"}, 17),
        ({"content-length": "+17"}, 0),
        ({"content-length": "9" * 30}, 0),
        ({"transfer-encoding": "chunked"}, None),
        ({"transfer-encoding": "chunked", "content-length": "17"}, None),
    ],
)
def test_announced_length(headers, length):
    assert request_of(headers=headers).announced_length == length


def test_an_order_s_time_counts_from_its_head():
    request = request_of()
    request.arrived -= 3.0
    assert ORDER_BUDGET_S - 3.1 < request.order_terms()["budget_s"] <= ORDER_BUDGET_S - 3.0


def test_a_body_may_not_be_late_for_longer_than_an_order_has_time():
    assert BODY_TIMEOUT_S > ORDER_BUDGET_S  # so an order whose body comes later is refused by what is left, and told so
    assert request_module.LEAST_BUDGET_S < ORDER_BUDGET_S


@pytest.mark.parametrize(
    ("scope", "is_wanted"), [({}, True), ({IS_GONE: lambda: False}, True), ({IS_GONE: lambda: True}, False)]
)
def test_an_answer_is_wanted_until_the_server_says_that_its_client_is_gone(scope, is_wanted):
    assert request_of(**scope).is_wanted() is is_wanted
