"""The refusals that the backends tell apart by type; all others are an RpcFailure with its reason."""

from collections.abc import Mapping

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason


class InvalidArgument(RpcFailure):
    """A field is out of its bounds; nothing was done."""

    def __init__(self, message: str) -> None:
        super().__init__(Reason.INVALID_ARGUMENT, message)


class Diverged(RpcFailure):
    """Two histories differ at a number that both hold."""

    def __init__(self, message: str, *, metadata: Mapping[str, object]) -> None:
        super().__init__(Reason.DIVERGED, message, metadata=metadata)


class CatalogUnavailable(RpcFailure):
    """The catalog does not answer this replica; nothing was sent to it for this caller."""

    def __init__(self, message: str) -> None:
        super().__init__(Reason.CATALOG, message)
