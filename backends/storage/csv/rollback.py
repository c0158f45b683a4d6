"""Proof that this catalog lost history, and `catalog_rolled_back.txt`, which keeps it until a rebuild removes it."""

from backends.storage.csv.log import Log
from backends.storage.csv.small_files import SmallFiles
from protos import catalog_pb2

MARKER_NAME = "catalog_rolled_back.txt"


def proof_of_rollback(request: catalog_pb2.BeginEpochRequest, journal: Log, newest_epoch: int) -> str | None:
    """Return how the caller's log or epoch shows that this catalog lost history, in words; None: it does not.

    All that a replica holds, and every epoch that it knows, was made by the catalog: none can be newer than its own.
    At number 0 nothing is held that could be missing here: another chain there is another cluster's id, and no proof.
    """
    last_number, _ = journal.position
    caller = f"replica {request.leader_id}"
    if request.number > last_number:
        return f"{caller} holds order {request.number}, but the last trade here is {last_number}"
    own_chain = journal.chain_at(request.number)
    if request.number > 0 and request.chain != own_chain:
        return (
            f"{caller} holds another history up to order {request.number}: its chain is {request.chain:08x},"
            f" not {own_chain:08x}"
        )
    if request.expected_epoch > newest_epoch:
        return f"{caller} knows epoch {request.expected_epoch}, but the newest here is {newest_epoch}"
    return None


def read_marker(small_files: SmallFiles) -> str | None:
    """Return why the catalog may not trade, None if there is no marker.

    Raises:
        OSError: the marker is there and cannot be read.
    """
    if not small_files.exists(MARKER_NAME):
        return None
    return small_files.read(MARKER_NAME).decode("utf-8", "backslashreplace").strip() or "no reason is recorded"


def write_marker(small_files: SmallFiles, reason: str) -> None:
    """Record durably why the catalog may not trade.

    Raises:
        DiskFull: there is no space for it.
    """
    small_files.replace(MARKER_NAME, f"{reason}\n".encode())
