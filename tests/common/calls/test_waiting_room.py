"""Admission to a limited number of places."""

import threading

import grpc
import pytest

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.waiting_room import WaitingRoom


def test_waiting_room_refuses_when_all_places_are_taken():
    room = WaitingRoom(1, Reason.QUEUE_FULL)
    inside, leave = threading.Event(), threading.Event()

    def wait_inside() -> None:
        with room.place():
            inside.set()
            leave.wait(5)

    thread = threading.Thread(target=wait_inside)
    thread.start()
    assert inside.wait(5)
    with pytest.raises(RpcFailure) as caught, room.place():
        pass
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.QUEUE_FULL)
    leave.set()
    thread.join()
    with room.place():
        pass
