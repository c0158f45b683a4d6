"""Histories as files of JSON lines: the first has what the history is of, the others an operation or a file each."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from tests.checker.history import (
    History,
    ListOrders,
    LookUpOrder,
    Operation,
    Outcome,
    Page,
    PlaceOrder,
    ReadStock,
    Reason,
    ShownOrder,
)

_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in (PlaceOrder, ReadStock, LookUpOrder, ListOrders)}


def save_history(history: History, path: Path) -> None:
    """Write a history; files of equal bytes are written once."""
    names_by_bytes: dict[bytes, list[str]] = {}
    for name, data in history.files.items():
        names_by_bytes.setdefault(data, []).append(name)
    about = {
        field.name: getattr(history, field.name)
        for field in dataclasses.fields(History)
        if field.name not in ("operations", "files")
    }
    with path.open("w") as file:
        file.write(json.dumps(about | {"initial": dict(history.initial), "behind": sorted(history.behind)}) + "\n")
        for data, names in names_by_bytes.items():
            # Latin-1 gives every byte a character, also those of a damaged file.
            file.write(json.dumps({"files": names, "text": data.decode("latin-1")}) + "\n")
        for operation in history.operations:
            file.write(json.dumps({"is": type(operation).__name__} | dataclasses.asdict(operation)) + "\n")


def load_history(path: Path) -> History:
    """Read what `save_history` wrote."""
    with path.open() as file:
        about = json.loads(file.readline())
        history = History(**about | {"behind": frozenset(about["behind"])})
        for line in file:
            entry = json.loads(line)
            if "files" in entry:
                data = entry["text"].encode("latin-1")
                history.files |= dict.fromkeys(entry["files"], data)
            else:
                history.operations.append(_operation(entry))
    return history


def _operation(entry: dict[str, Any]) -> Operation:
    kind = _KINDS[entry.pop("is")]
    if kind is PlaceOrder:
        entry["outcome"] = Outcome(entry["outcome"])
        entry["reason"] = entry["reason"] and Reason(entry["reason"])
    if kind is ListOrders:
        entry["names"] = tuple(entry["names"])
        entry["pages"] = tuple(_page(page) for page in entry["pages"])
    elif entry.get("order"):
        entry["order"] = ShownOrder(**entry["order"])
    operation: Operation = kind(**entry)
    return operation


def _page(entry: dict[str, Any]) -> Page:
    return Page(**entry | {"orders": tuple(ShownOrder(**order) for order in entry["orders"])})
