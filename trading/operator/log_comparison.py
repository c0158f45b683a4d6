"""Comparing logs byte by byte: the catalog's journal and every replica's, page by page, while trading goes on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Call, Outcome, Steps, Together
from protos import catalog_pb2, order_pb2
from trading.replicas.view import short_text

PAGE_TIMEOUT_S = 10.0

# Gets each page of the reference's rows, and the number before the first of them.
TakeRows: TypeAlias = Callable[[bytes, int], None]


@dataclass(frozen=True)
class Difference:
    """The first order at which a log differs, and its row in both; without line ends."""

    number: int
    expected: str
    found: str


@dataclass
class LogSource:
    """One log that is read, and what came of it.

    Attributes:
        name: as it is printed.
        to: the replica whose log it is; None: the catalog's journal.
        compared: up to which number it was found equal to the reference.
        difference: where it differs first; then it is read no further.
        failure: why it could not be read, or not further.
    """

    name: str
    address: str
    to: order_pb2.Addressee | None
    compared: int = 0
    difference: Difference | None = None
    failure: str | None = None

    def page(self, after: int, limit: int) -> Call:
        """Return the call that reads up to `limit` rows above a number."""
        request: catalog_pb2.ListTradesRequest | order_pb2.ListRowsRequest
        if self.to is None:
            request = catalog_pb2.ListTradesRequest(after=after, limit=limit)
        else:
            request = order_pb2.ListRowsRequest(after=after, limit=limit, to=self.to)
        return Call(self.address, request, PAGE_TIMEOUT_S)

    def take(self, expected: bytes, outcome: Outcome, after: int) -> None:
        """Compare an answer with the reference's rows above `after`. A log that ends sooner is equal up to there."""
        if isinstance(outcome, RpcFailure):
            self.failure = f"{short_text(outcome)}, after order {after}"
            return
        assert isinstance(outcome, catalog_pb2.ListTradesResponse | order_pb2.ListRowsResponse)
        common = min(len(expected), len(outcome.rows))  # a row's end in both, if they are equal so far
        if expected[:common] == outcome.rows[:common]:
            self.compared = after + expected[:common].count(b"\n")
        else:
            self.difference = first_difference(expected, outcome.rows, after)
            self.compared = self.difference.number - 1


def first_difference(expected: bytes, found: bytes, after: int) -> Difference:
    """Return the first row that differs; there is one, and neither is the other's beginning."""
    pairs = zip(expected.splitlines(), found.splitlines(), strict=False)
    for number, (own, other) in enumerate(pairs, start=after + 1):
        if own != other:
            return Difference(number, own.decode("ascii", "replace"), other.decode("ascii", "replace"))
    raise AssertionError("the rows do not differ")


def compare_logs(reference: LogSource, others: Sequence[LogSource], up_to: int, take: TakeRows) -> Steps[None]:
    """Read the reference's rows 1..up_to, give them to `take`, and note in each of `others` how it compares.

    Each log is read a page of 1 MiB at a time, all at once; one that differs, fails or ends is read no further.

    Raises:
        RpcFailure: the reference could not be read, or no further.
    """
    after = 0
    while after < up_to:
        read = [
            source for source in others if not source.difference and not source.failure and source.compared == after
        ]
        outcomes: list[Outcome] = yield Together([one.page(after, up_to - after) for one in (reference, *read)])
        first, *rest = outcomes
        if isinstance(first, RpcFailure):
            raise first
        assert isinstance(first, catalog_pb2.ListTradesResponse | order_pb2.ListRowsResponse)
        if not first.rows:
            raise RpcFailure(Reason.LOG_ENDED, f"{reference.name} ends at order {after}, before {up_to}")
        for source, outcome in zip(read, rest, strict=True):
            source.take(first.rows, outcome, after)
        take(first.rows, after)
        after += first.rows.count(b"\n")
        reference.compared = after
