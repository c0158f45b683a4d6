"""Procedures made of plain functions, and performed in the calling thread."""

from collections.abc import Callable
from functools import cache
from typing import Any

from common.calls.network import Network
from common.calls.steps import Steps


def procedure(function: Callable[..., Any]) -> Callable[..., Steps[Any]]:
    """Return the function as one that returns a procedure, which calls nobody."""

    def steps(*arguments: Any, **keywords: Any) -> Steps[Any]:
        yield from ()
        return function(*arguments, **keywords)

    return steps


def perform(steps: Steps[Any]) -> Any:
    """Run a procedure that calls nobody, and those that it starts beside it; what it raises is raised."""
    return _network().run(steps)


@cache
def _network() -> Network:
    return Network()
