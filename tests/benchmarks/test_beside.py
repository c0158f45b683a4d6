from multiprocessing.connection import Connection

import pytest

from benchmarks.beside import Beside
from benchmarks.load_client import LoadError
from benchmarks.processes import BenchmarkError


def double(pipe: Connection, number: int) -> None:
    pipe.send(number * 2)
    pipe.send(pipe.recv() * 2)
    pipe.send(LoadError("no more"))


def end(_pipe: Connection) -> None:
    """Say nothing."""


def test_it_talks_through_its_pipe_and_is_gone_afterwards():
    with Beside(double, 4) as beside:
        assert beside.receive(30) == 8
        with pytest.raises(BenchmarkError, match="has said nothing for 0 s"):
            beside.receive(0)
        beside.send("a")
        assert beside.receive(30) == "aa"
        with pytest.raises(LoadError, match="no more"):
            beside.receive(30)
    assert not beside.is_running


def test_one_that_has_ended_is_told():
    with Beside(end) as beside, pytest.raises(BenchmarkError, match="has ended"):
        beside.receive(30)
