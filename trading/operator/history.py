"""What happened to the cluster: the elections that the catalog keeps, and what the health loop saw."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from common.calls.failures import RpcFailure
from common.calls.steps import Call, Steps
from common.process.config import ClusterConfig
from protos import catalog_pb2
from trading.operator.event_file import ClusterEvent, read_events
from trading.operator.printing import plain_table, tsv
from trading.replicas.view import short_text

EPOCHS_TIMEOUT_S = 2.0
MAX_EPOCHS = 1000
COLUMNS = ("TIME", "EVENT", "WHAT")
FIELDS = ("time", "kind", "replica_id", "epoch", "text")


@dataclass(frozen=True)
class History:
    """Events, oldest first, and why some may be missing, in words for people."""

    events: tuple[ClusterEvent, ...]
    missing: tuple[str, ...]


def read_history(config: ClusterConfig) -> Steps[History]:
    """Return what the catalog and this data directory's health loop know. Raises nothing: what fails is `missing`.

    Elections are the catalog's: durable, with their times, the newest MAX_EPOCHS since its last rebuild. Where it does
    not answer, those that the health loop saw stand for them.
    """
    missing = []
    elections: list[ClusterEvent] | None = None
    try:
        answer: catalog_pb2.ListEpochsResponse = yield Call(
            config.catalog, catalog_pb2.ListEpochsRequest(limit=MAX_EPOCHS), EPOCHS_TIMEOUT_S
        )
        elections = [_election(epoch) for epoch in answer.epochs]
    except RpcFailure as failure:
        missing.append(f"the catalog's elections: {short_text(failure)}")
    seen, why = _seen_events(config.health_dir)
    missing += why
    if elections is not None:
        seen = [event for event in seen if event.kind != "election"]
    # Times of equal form sort as text; an election comes before what followed it in the same moment.
    events = sorted([*(elections or []), *seen], key=lambda event: event.time)
    return History(tuple(events), tuple(missing))


def print_history(history: History, form: str, limit: int, out: TextIO, err: TextIO) -> None:
    """Print the newest `limit` events, oldest first; `form` is one of table, json, tsv. What may miss goes to `err`."""
    events = history.events[-limit:]
    if form == "json":
        out.write(json.dumps([asdict(event) for event in events], indent=2) + "\n")
    elif form == "tsv":
        out.write(tsv([FIELDS, *([getattr(event, field) for field in FIELDS] for event in events)]))
    else:
        out.write(plain_table(COLUMNS, [_cells(event) for event in events], frozenset(COLUMNS)))
    for line in history.missing:
        err.write(f"not shown: {line}\n")


def _election(epoch: catalog_pb2.Epoch) -> ClusterEvent:
    if not epoch.leader_id:
        return ClusterEvent(
            epoch.time, "rebuild", f"the catalog was rebuilt, above epoch {epoch.epoch}", None, epoch.epoch
        )
    text = f"replica {epoch.leader_id} leads epoch {epoch.epoch}"
    return ClusterEvent(epoch.time, "election", text, epoch.leader_id, epoch.epoch)


def _seen_events(directory: Path) -> tuple[list[ClusterEvent], Sequence[str]]:
    try:
        events = list(read_events(directory))
    except OSError as error:
        return [], [f"failures and returns: {directory} cannot be read: {error.strerror}"]
    if not events:
        return [], [f"failures and returns: no health loop has kept any in {directory}; they are where it runs"]
    return events, []


def _cells(event: ClusterEvent) -> tuple[str, str, str]:
    return f"{event.time[:10]} {event.time[11:23]}Z", event.kind, event.text
