"""What REST answers, against docs/API.md."""

import re
from pathlib import Path

from common.calls.reasons import Reason
from trading.api.errors import outcome_of

API = Path(__file__).parents[3] / "docs/API.md"
# By the name that callers know.
TOLD = {reason.told_as: reason for reason in Reason if reason.http is not None}
# How long to wait is the caller's own matter: its rate.
RETRY_AFTER = {reason.told_as for reason in TOLD.values() if reason.retry_after_s is not None} | {"RATE_LIMITED"}


def rows() -> list[list[str]]:
    """The table of section 6: codes, reasons, outcome, what the client should do."""
    _, section = API.read_text().split("## 6. Errors")
    table = re.findall(r"^\| ([0-9, ]+) \| ([A-Z_, ]+) \| ?(.*?) ?\| (.*) \|$", section.split("\n## ")[0], flags=re.M)
    return [list(row) for row in table]


def test_the_table_of_errors_lists_every_reason_that_is_told_once():
    listed = [reason for _, reasons, _, _ in rows() for reason in reasons.split(", ")]
    assert sorted(listed) == sorted(TOLD)


def test_the_table_of_errors_has_the_codes_outcomes_and_waits_of_its_reasons():
    for codes, names, outcome, advice in rows():
        reasons = [TOLD[name] for name in names.split(", ")]
        assert codes.split(", ") == sorted({str(reason.http) for reason in reasons}), names
        # Without a word on the outcome: these are not answers to an order, so nothing is executed.
        assert {outcome_of(reason) for reason in reasons} == {outcome or "not_executed"}, names
        waits = {reason.told_as in RETRY_AFTER for reason in reasons}
        assert waits == {"`Retry-After`" in advice}, names
