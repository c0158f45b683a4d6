# ruff: noqa: PIE796 - rows may be equal: see Reason.__new__
"""The closed list of reasons: why a call or a request failed, and what follows from it. Each is told once, here.

A member's name is what travels between processes (`ErrorInfo.reason`, protos/*.proto), so it never changes: while a
system is upgraded, processes of two versions talk to each other.
"""

from enum import Enum, Flag, auto
from math import inf

from grpc import StatusCode as Rpc


class Verdict(Enum):
    """What a reason says of the order that it is the answer to."""

    FINAL = "refused for good: not executed, even if an earlier attempt may have been; that one's order would be told"
    NOTHING_DONE = "not executed by this call, and it never will be; an earlier attempt may have been"
    PERHAPS = "nobody knows; also said by every reason that orders are not answered with: the safe side"


class Trait(Flag):
    """What else follows from a reason: the questions that `Reason.is_...` answers."""

    SILENT = auto()
    LASTING = auto()
    BUSY = auto()
    ELECTED = auto()
    DOWN = auto()


FINAL, NOTHING_DONE, PERHAPS = Verdict
SILENT, LASTING, BUSY, ELECTED, DOWN = Trait
NOTHING_ELSE = Trait(0)
_: None = None


class Reason(Enum):
    """Why something failed.

    Attributes:
        code: the canonical gRPC status; REST shows its name as `status`.
        verdict: what it says of an order.
        http: the status of a REST answer; None: REST never tells it, but answers INTERNAL.
        told_as: its name for the callers of REST, and in the logs of those who operate the system.
        retry_after_s: what a REST answer asks the client to wait, whole seconds; None: nothing.
        patience_s: for how long an order that was certainly not executed is tried against it before the caller is told.
            What heals by itself, heals in such a time: a process that is restarted, a queue that drains. inf: until
            the order's time is up.
        replaces_after_s: the leader that has answered so, for so long, may have to be replaced; None: it need not be.
        traits: what else follows.
    """

    code: Rpc
    verdict: Verdict
    http: int | None
    told_as: str
    retry_after_s: int | None
    patience_s: float
    replaces_after_s: float | None
    traits: Trait

    def __new__(
        cls,
        code: Rpc,
        verdict: Verdict,
        http: int | None = None,
        told_as: str = "",
        retry_after_s: int | None = None,
        patience_s: float = inf,
        replaces_after_s: float | None = None,
        traits: Trait = NOTHING_ELSE,
    ) -> "Reason":
        self = object.__new__(cls)
        # Not the row: members of equal values would be one member with two names.
        self._value_ = len(cls.__members__)
        self.code, self.verdict, self.http, self.told_as = code, verdict, http, told_as
        self.retry_after_s, self.patience_s, self.replaces_after_s = retry_after_s, patience_s, replaces_after_s
        self.traits = traits
        return self

    def __init__(self, *_row: object) -> None:
        self.told_as = self.told_as or self.name

    # fmt: off
    #                                                                                              Retry-After, s
    #                                                                                              |   patience, s
    #                                                                                              |   |    replaces, s
    # reason                 gRPC code                of an order   HTTP told as                   |   |    |    traits

    # No process of ours answered.
    UNREACHABLE            = Rpc.UNAVAILABLE,         PERHAPS,      _,   "",                       _,  inf, 0.0, SILENT
    NO_ANSWER              = Rpc.DEADLINE_EXCEEDED,   PERHAPS,      _,   "",                       _,  inf, 0.0, SILENT
    # A process of another version, or gRPC within ours, answered something that is not in this list.
    UNKNOWN                = Rpc.UNKNOWN,             PERHAPS
    INTERNAL               = Rpc.INTERNAL,            PERHAPS,      500
    NOT_CARRIED            = Rpc.UNIMPLEMENTED,       PERHAPS

    # Wrong, or asked for what there is not.
    INVALID_ARGUMENT       = Rpc.INVALID_ARGUMENT,    NOTHING_DONE, 400, "VALIDATION_FAILED",      _,  inf, _,   LASTING
    MALFORMED_JSON         = Rpc.INVALID_ARGUMENT,    NOTHING_DONE, 400
    INVALID_CURSOR         = Rpc.INVALID_ARGUMENT,    NOTHING_DONE, 400
    UNAUTHENTICATED        = Rpc.UNAUTHENTICATED,     NOTHING_DONE, 401
    PERMISSION_DENIED      = Rpc.PERMISSION_DENIED,   NOTHING_DONE, 403
    UNKNOWN_ORDER          = Rpc.NOT_FOUND,           NOTHING_DONE, 404, "ORDER_NOT_FOUND",        _,  inf, _,   LASTING
    REPLICA_NOT_FOUND      = Rpc.NOT_FOUND,           NOTHING_DONE, 404
    JOB_NOT_FOUND          = Rpc.NOT_FOUND,           NOTHING_DONE, 404
    PATH_NOT_FOUND         = Rpc.NOT_FOUND,           NOTHING_DONE, 404
    METHOD_NOT_ALLOWED     = Rpc.UNIMPLEMENTED,       NOTHING_DONE, 405
    NOT_ACCEPTABLE         = Rpc.INVALID_ARGUMENT,    NOTHING_DONE, 406
    UNSUPPORTED_MEDIA_TYPE = Rpc.INVALID_ARGUMENT,    NOTHING_DONE, 415
    BODY_LATE              = Rpc.DEADLINE_EXCEEDED,   NOTHING_DONE, 408, "REQUEST_TIMEOUT"
    RATE_LIMITED           = Rpc.RESOURCE_EXHAUSTED,  NOTHING_DONE, 429  # its Retry-After is the caller's own

    # The catalog, or the leader, refuses the order.
    UNKNOWN_STOCK          = Rpc.NOT_FOUND,           FINAL,        404, "STOCK_NOT_FOUND",        _,  inf, _,   LASTING
    INSUFFICIENT_STOCK     = Rpc.FAILED_PRECONDITION, FINAL,        409, "",                       _,  inf, _,   LASTING
    STOCK_LIMIT            = Rpc.FAILED_PRECONDITION, FINAL,        409, "",                       _,  inf, _,   LASTING
    KEY_REUSED             = Rpc.ALREADY_EXISTS,      FINAL,        422, "IDEMPOTENCY_KEY_REUSED", _,  inf, _,   LASTING

    # Not now. An election takes about two seconds, a restart little more; the disk and the halt wait for an operator.
    NO_LEADER              = Rpc.UNAVAILABLE,         NOTHING_DONE, 503, "",                       2,  2.0, _,   DOWN
    # A leader that cannot reach the catalog is replaced, if this process reaches it. Sooner, every restart of the
    # catalog would cost an election.
    CATALOG                = Rpc.UNAVAILABLE,         NOTHING_DONE, 503, "CATALOG_UNAVAILABLE",    2,  1.2, 0.6, DOWN
    HALTED                 = Rpc.DATA_LOSS,           NOTHING_DONE, 503, "",                       60, 1.0, 0.0, DOWN
    DISK_FULL              = Rpc.RESOURCE_EXHAUSTED,  NOTHING_DONE, 503, "",                       30, 1.0
    OVERLOADED             = Rpc.RESOURCE_EXHAUSTED,  NOTHING_DONE, 503, "",                       1,  1.0
    QUEUE_FULL             = Rpc.RESOURCE_EXHAUSTED,  NOTHING_DONE, 503, "OVERLOADED",             1,  1.0
    TOO_MANY_STREAMS       = Rpc.RESOURCE_EXHAUSTED,  NOTHING_DONE, 503, "OVERLOADED",             1,  1.0, _,   BUSY
    # Nobody waits for the answer any more, so the order was not sent.
    ABANDONED              = Rpc.RESOURCE_EXHAUSTED,  NOTHING_DONE, 503, "OVERLOADED",             1,  inf, _,   LASTING
    SHUTTING_DOWN          = Rpc.UNAVAILABLE,         NOTHING_DONE, 503, "",                       2,  inf, _,   BUSY
    TOO_MANY_WRITERS       = Rpc.RESOURCE_EXHAUSTED,  PERHAPS,      _,   "",                       _,  inf, _,   BUSY
    TOO_MANY_WATCHES       = Rpc.RESOURCE_EXHAUSTED,  PERHAPS
    TOO_MANY_RESYNCS       = Rpc.RESOURCE_EXHAUSTED,  PERHAPS
    TOO_MANY_READERS       = Rpc.RESOURCE_EXHAUSTED,  PERHAPS
    LAGGING                = Rpc.UNAVAILABLE,         PERHAPS

    # What became of the order is not known.
    TOO_FEW_REPLICAS       = Rpc.UNAVAILABLE,         PERHAPS
    NO_ANSWER_YET          = Rpc.DEADLINE_EXCEEDED,   PERHAPS
    STEPPED_DOWN           = Rpc.UNAVAILABLE,         PERHAPS,      _,   "",                       _,  inf, 0.0
    OUTCOME_UNKNOWN        = Rpc.DEADLINE_EXCEEDED,   PERHAPS,      504
    NOT_REPLICATED         = Rpc.UNAVAILABLE,         PERHAPS,      504

    # Who leads.
    NOT_LEADER             = Rpc.FAILED_PRECONDITION, NOTHING_DONE, _,   "",                       _,  inf, 0.0
    # Its own log is, and its next start mends that: any other may lead.
    DAMAGED                = Rpc.DATA_LOSS,           NOTHING_DONE, _,   "",                       _,  inf, 0.0
    # The address leads to somebody else than it did, or should.
    WRONG_REPLICA          = Rpc.FAILED_PRECONDITION, NOTHING_DONE, _,   "",                       _,  inf, 0.0
    WRONG_CLUSTER          = Rpc.FAILED_PRECONDITION, NOTHING_DONE, _,   "",                       _,  inf, 0.0
    FENCED                 = Rpc.ABORTED,             PERHAPS,      _,   "",                       _,  inf, _,   ELECTED
    PROMOTING              = Rpc.UNAVAILABLE,         PERHAPS,      _,   "",                       _,  inf, _,   ELECTED
    BACKFILLING            = Rpc.UNAVAILABLE,         PERHAPS
    TARGET_NOT_IN_SYNC     = Rpc.FAILED_PRECONDITION, NOTHING_DONE, 409
    REPLICA_LEADS          = Rpc.FAILED_PRECONDITION, NOTHING_DONE, 409

    # Rows and batches that do not fit.
    STALE_BATCH            = Rpc.ABORTED,             PERHAPS
    BEHIND                 = Rpc.ABORTED,             PERHAPS
    OUT_OF_RANGE           = Rpc.OUT_OF_RANGE,        PERHAPS
    GAP                    = Rpc.OUT_OF_RANGE,        PERHAPS
    DIVERGED               = Rpc.DATA_LOSS,           PERHAPS

    # Bringing a follower up to date, and comparing logs.
    UNKNOWN_REPLICA        = Rpc.NOT_FOUND,           PERHAPS
    FOLLOWER               = Rpc.UNAVAILABLE,         PERHAPS
    NOT_IN_SYNC            = Rpc.UNAVAILABLE,         PERHAPS
    CHAIN_DIFFERS          = Rpc.DATA_LOSS,           PERHAPS
    NOTHING_ANSWERS        = Rpc.UNAVAILABLE,         PERHAPS
    LOG_ENDED              = Rpc.OUT_OF_RANGE,        PERHAPS
    MALFORMED_PAGE         = Rpc.INTERNAL,            PERHAPS
    # fmt: on

    @classmethod
    def named(cls, name: str) -> "Reason":
        """Return the reason that travels under this name, UNKNOWN for one that this version does not have."""
        return cls.__members__.get(name, cls.UNKNOWN)

    @property
    def may_be_executed(self) -> bool:
        """Whether an order that got this answer may be executed, now or later."""
        return self.verdict is Verdict.PERHAPS

    @property
    def is_silence(self) -> bool:
        """No process of ours answered: gRPC, or the caller itself, gave up."""
        return Trait.SILENT in self.traits

    @property
    def is_lasting(self) -> bool:
        """A true answer although it is a failure: whoever is asked again, and however often, answers the same."""
        return Trait.LASTING in self.traits

    @property
    def is_busy(self) -> bool:
        """Given by the catalog while it stops, or while too many wait for it: as good as no answer. Ask it again."""
        return Trait.BUSY in self.traits

    @property
    def is_elected_elsewhere(self) -> bool:
        """Somebody else has elected a leader, or is electing one, this moment: look again before anybody is asked."""
        return Trait.ELECTED in self.traits

    @property
    def is_down(self) -> bool:
        """Nothing can be traded now."""
        return Trait.DOWN in self.traits
