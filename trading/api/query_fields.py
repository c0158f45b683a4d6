"""The texts of a query string, each turned into a value or told what is wrong with it."""

import re
from collections.abc import Set
from datetime import UTC, datetime

from django.http import QueryDict

from common.bounds import IDEMPOTENCY_KEY, MAX_NUMBER, MAX_PAGE, STOCK_NAME, STOCK_NAME_RULE
from common.calls.reasons import Reason
from trading.api.errors import ApiError, shown, shown_field
from trading.api.order_key import ALLOWED

DEFAULT_PAGE = 50
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")
# Digits behind the sixth of a fraction are in no group.
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d(?:\.\d{1,6})?)(?:(?<=\.\d{6})\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


class FieldProblem(ValueError):
    """What is wrong with one value; the sentence names it."""


class QueryProblems:
    """Gathers what is wrong with a query, so that all of it is told at once."""

    def __init__(self) -> None:
        self._details: list[dict[str, str]] = []

    def add(self, field: str, message: str) -> None:
        """Note one problem of one parameter."""
        self._details.append({"field": field, "message": message})

    def raise_if_any(self) -> None:
        """Return if nothing was noted.

        Raises:
            ApiError: VALIDATION_FAILED with all that was noted.
        """
        if self._details:
            message = "; ".join(f"{detail['field']}: {detail['message']}" for detail in self._details[:20])
            raise ApiError(Reason.INVALID_ARGUMENT, message, self._details[:20])


def known_parameters(params: QueryDict, known: Set[str], repeatable: Set[str], problems: QueryProblems) -> None:
    """Note the parameters that are unknown, and those that are given twice but may not be."""
    for name, texts in params.lists():
        if name not in known:
            told = f"known are {', '.join(sorted(known))}" if known else "none is known here"
            problems.add(shown_field(name), f"is not a parameter; {told}")
        elif len(texts) > 1 and name not in repeatable:
            problems.add(name, "is given more than once")


def read_limit(text: str) -> int:
    """Return the size of a page, 1 to MAX_PAGE."""
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= MAX_PAGE:
        raise FieldProblem(f"{shown(text)} is not an integer from 1 to {MAX_PAGE}")
    return int(text)


def read_number(text: str) -> int:
    """Return a transaction number, or 0 for "from the first"."""
    if not _NUMBER.fullmatch(text) or int(text) > MAX_NUMBER:
        raise FieldProblem(f"{shown(text)} is not an integer from 0 to {MAX_NUMBER}")
    return int(text)


def read_name(text: str) -> str:
    """Return a stock name."""
    if not STOCK_NAME.fullmatch(text):
        raise FieldProblem(f"{shown(text)} is not a stock name ({STOCK_NAME_RULE})")
    return text


def read_key(text: str) -> str:
    """Return an idempotency key."""
    if not IDEMPOTENCY_KEY.fullmatch(text):
        raise FieldProblem(f"{shown(text)} is not {ALLOWED}")
    return text


def read_time(text: str) -> str:
    """Return a time as the rows of the log have it: UTC, microseconds, `Z`. What is finer is cut off.

    An offset is required: a time without one is not guessed.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise FieldProblem(
            f"{shown(text)} is not a time with an offset, like 2031-04-09T13:05:22.104511Z (in a URL, + is %2B)"
        )
    date, clock, offset = match.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}{offset.upper().replace('Z', '+00:00')}").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise FieldProblem(f"{shown(text)} is not a time: {error}") from error
    # Not strftime: its years have fewer than four digits before the year 1000.
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
