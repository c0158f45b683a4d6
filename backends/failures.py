"""What the backends refuse, and the one place where a refusal becomes a gRPC status."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import grpc
import structlog

from common.calls.failures import RpcFailure, status_from_failure

log = structlog.get_logger()


class InvalidArgument(RpcFailure):
    """A field is out of its bounds; nothing was done."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "INVALID_ARGUMENT"


class Halted(RpcFailure):
    """This process must not serve until an operator acts."""

    code = grpc.StatusCode.DATA_LOSS
    reason = "HALTED"


class OutOfRange(RpcFailure):
    """Rows above the last one were asked for. Metadata: last_number."""

    code = grpc.StatusCode.OUT_OF_RANGE
    reason = "OUT_OF_RANGE"


class Diverged(RpcFailure):
    """Two histories differ at a number that both hold."""

    code = grpc.StatusCode.DATA_LOSS
    reason = "DIVERGED"


class Fenced(RpcFailure):
    """A newer epoch has begun. Metadata: epoch, leader_id."""

    code = grpc.StatusCode.ABORTED
    reason = "FENCED"


class NotLeader(RpcFailure):
    """This replica does not lead in the epoch that was addressed. Metadata: leader_id, epoch."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "NOT_LEADER"


class CatalogUnavailable(RpcFailure):
    """The catalog does not answer this replica; nothing was sent to it for this caller."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "CATALOG"


class Unavailable(RpcFailure):
    """Not now; the reason says why and is given by the raiser."""

    code = grpc.StatusCode.UNAVAILABLE


class Exhausted(RpcFailure):
    """A queue, a disk or the threads for waiting callers are full; nothing was done."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class NotFound(RpcFailure):
    """No stock, order or replica is known by this name or number."""

    code = grpc.StatusCode.NOT_FOUND


@contextmanager
def aborting_on_failures(context: grpc.ServicerContext) -> Iterator[None]:
    """Answer a raised RpcFailure as its status. Anything else is a bug: INTERNAL, with the trace in the log only."""
    try:
        yield
    except RpcFailure as failure:
        _abort(context, failure)
    except grpc.RpcError:
        raise
    except Exception as error:
        log.exception("internal error")
        _abort(
            context,
            RpcFailure(f"internal error: {type(error).__name__}", code=grpc.StatusCode.INTERNAL, reason="INTERNAL"),
        )


def _abort(context: grpc.ServicerContext, failure: RpcFailure) -> NoReturn:
    context.abort_with_status(status_from_failure(failure))
