"""What a stream is asked for: its query string, and the place where it goes on. docs/API.md, "Live updates"."""

import re
from dataclasses import dataclass

from django.http import QueryDict

from trading.api.errors import shown
from trading.api.query_fields import FieldProblem, QueryProblems, read_name
from trading.events.topics import TYPES, Topics, query_topics

# A stream keeps them as long as it is open, some 500 bytes each.
MOST_NAMES = 50
# By which clients say their place that cannot set the header. The header goes before both.
PLACE_PARAMETERS = ("lastEventId", "Last-Event-ID")
_ID = re.compile(r"([0-9a-f]+)-(0|[1-9][0-9]{0,15})")


@dataclass(frozen=True)
class EventQuery:
    """Which events a stream shows.

    Attributes:
        types: some of topics.TYPES. A reset is shown if it is about any of them.
        names: of stocks: others' orders and stock changes are left out. Empty: all.
        account: whose orders; None: everybody's.
    """

    types: frozenset[str]
    names: frozenset[str]
    account: str | None = None

    @property
    def topics(self) -> Topics:
        """The same as topics."""
        return query_topics(self.types, self.names, self.account)


def read_event_query(params: QueryDict, account: str | None) -> EventQuery:
    """Return what a request's parameters ask for.

    Raises:
        ApiError: VALIDATION_FAILED naming every parameter at fault.
    """
    problems = QueryProblems()
    types = frozenset(params["types"].split(",")) if "types" in params else frozenset(TYPES)
    for unknown in sorted(types - set(TYPES)):
        problems.add("types", f"{shown(unknown)} is not one of {', '.join(TYPES)}, parted by commas")
    names = set()
    for text in params.getlist("name"):
        try:
            names.add(read_name(text))
        except FieldProblem as problem:
            problems.add("name", str(problem))
    if len(names) > MOST_NAMES:
        problems.add("name", f"{len(names)} names; a stream takes at most {MOST_NAMES}, or all stocks without any")
    problems.raise_if_any()
    return EventQuery(types, frozenset(names), account)


def read_last_event_id(header: str | None, params: QueryDict) -> str | None:
    """Return the place where the client wants to go on: of its header Last-Event-ID or else of its parameters."""
    given = [header, *(params.get(name) for name in PLACE_PARAMETERS)]
    return next((text for text in given if text is not None), None)


def number_of_id(event_id: str, run_id: str) -> int | None:
    """Return the number in an event's id; None if it is not an id of this run."""
    match = _ID.fullmatch(event_id)
    return int(match[2]) if match is not None and match[1] == run_id else None
