"""Comparing logs byte by byte: the catalog's journal and every replica's, page by page, while trading goes on."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Call, Outcome, Steps, Together
from protos import catalog_pb2, order_pb2
from trading.operator.answerer import require_answer_of
from trading.replicas.view import short_text

PAGE_TIMEOUT_S = 10.0

PageRequest: TypeAlias = catalog_pb2.ListTradesRequest | order_pb2.ListRowsRequest
# Gets each page of the reference's rows, and the number before the first of them.
TakeRows: TypeAlias = Callable[[bytes, int], None]


@dataclass(frozen=True)
class Difference:
    """The first order at which a log differs, and its row in both; without line ends."""

    number: int
    expected: str
    found: str


@dataclass
class LogSource(ABC):
    """One log that is read, and what came of it.

    Attributes:
        address: of the process that has it.
        compared: up to which number it was found equal to the reference.
        difference: where it differs first; then it is read no further.
        failure: why it could not be read, or not further.
    """

    address: str
    compared: int = field(default=0, kw_only=True)
    difference: Difference | None = field(default=None, kw_only=True)
    failure: str | None = field(default=None, kw_only=True)

    @property
    @abstractmethod
    def name(self) -> str:
        """As it is printed."""

    @abstractmethod
    def request(self, after: int, limit: int) -> PageRequest:
        """Return what asks for up to `limit` rows above a number."""

    def page(self, after: int, limit: int) -> Call:
        """Return the call that reads up to `limit` rows above a number."""
        return Call(self.address, self.request(after, limit), PAGE_TIMEOUT_S)

    def rows(self, outcome: Outcome) -> bytes:
        """Return the rows that were read.

        Raises:
            RpcFailure: why there are none.
        """
        if isinstance(outcome, RpcFailure):
            raise outcome
        assert isinstance(outcome, catalog_pb2.ListTradesResponse | order_pb2.ListRowsResponse)
        return outcome.rows

    def take(self, expected: bytes, outcome: Outcome, after: int) -> None:
        """Compare an answer with the reference's rows above `after`. A log that ends sooner is equal up to there."""
        try:
            found = self.rows(outcome)
        except RpcFailure as failure:
            self.failure = f"{short_text(failure)}, after order {after}"
            return
        common = min(len(expected), len(found))  # a row's end in both, if they are equal so far
        if expected[:common] == found[:common]:
            self.compared = after + expected[:common].count(b"\n")
        else:
            self.difference = first_difference(expected, found, after)
            self.compared = self.difference.number - 1


@dataclass
class Journal(LogSource):
    """The catalog's."""

    @property
    def name(self) -> str:
        return "catalog"

    def request(self, after: int, limit: int) -> catalog_pb2.ListTradesRequest:
        return catalog_pb2.ListTradesRequest(after=after, limit=limit)


@dataclass
class ReplicaLog(LogSource):
    """The log of the replica `to`; what another one answers in its place does not count."""

    to: order_pb2.Addressee

    @property
    def name(self) -> str:
        return f"replica {self.to.replica_id}"

    def request(self, after: int, limit: int) -> order_pb2.ListRowsRequest:
        return order_pb2.ListRowsRequest(after=after, limit=limit, to=self.to)

    def rows(self, outcome: Outcome) -> bytes:
        if isinstance(outcome, order_pb2.ListRowsResponse):
            require_answer_of(self.to.replica_id, self.address, outcome)
        return super().rows(outcome)


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
        rows = reference.rows(first)
        if not rows:
            raise RpcFailure(Reason.LOG_ENDED, f"{reference.name} ends at order {after}, before {up_to}")
        for source, outcome in zip(read, rest, strict=True):
            source.take(rows, outcome, after)
        take(rows, after)
        after += rows.count(b"\n")
        reference.compared = after
