"""Why no order can be placed now, as the replica manager sees it. Nothing was executed when one of these is raised."""

import grpc

from common.calls.failures import RpcFailure


class NoLeader(RpcFailure):
    """No replica leads, and none could be made leader in the time there was."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "NO_LEADER"


class CatalogUnavailable(RpcFailure):
    """The catalog does not answer, or its disk does not: no trade can be decided, whoever leads."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "CATALOG_UNAVAILABLE"


class ClusterHalted(RpcFailure):
    """The catalog, or every replica that answers, refuses to trade until an operator acts."""

    code = grpc.StatusCode.DATA_LOSS
    reason = "HALTED"


class WrongReplica(RpcFailure):
    """Another replica than the configured one answers at an address."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "WRONG_REPLICA"


class UnknownReplica(RpcFailure):
    """An operator named a replica that is not in the configuration."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "REPLICA_NOT_FOUND"


class NotInSync(RpcFailure):
    """A replica that is to lead is not in sync: orders would wait until it has read what it lacks."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "TARGET_NOT_IN_SYNC"
