"""Who answers: an address may lead to another replica than the one that is meant."""

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import order_pb2


def require_answer_of(
    replica_id: int, address: str, answer: order_pb2.ListRowsResponse | order_pb2.ResyncProgress
) -> None:
    """Return if this replica gave the answer, or one of the version before, which does not say who it is.

    Raises:
        RpcFailure: WRONG_REPLICA.
    """
    if answer.replica_id not in (0, replica_id):
        raise RpcFailure(Reason.WRONG_REPLICA, f"{address} is replica {answer.replica_id}")
