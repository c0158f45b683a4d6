"""Whether orders could be placed now: docs/API.md, "Operation", `/readyz`.

Apart from the view: that shows checks, whoever made them.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

from common.calls.reasons import Reason
from common.process.config import ClusterConfig
from trading.operator.kept import Kept, StillLoading
from trading.operator.look import cluster_look
from trading.operator.status import in_sync_count, status_data
from trading.process import OncePerProcess, cluster_config
from trading.replicas.view import ClusterView

FRESH_S = 1.0
# Above the time that looking takes, which is bounded by itself.
WAIT_S = 1.5


class Check(NamedTuple):
    """One thing that trading needs; `failure` says what is wrong with it, "" if nothing is.

    `note` says what else is wrong with one that does not fail.
    """

    name: str
    reason: Reason  # of the answer, when this is the first that fails
    failure: str
    note: str = ""


class Readiness:
    """Looks at the cluster at most once in FRESH_S, however many ask. Any number of threads may use it."""

    def __init__(
        self,
        look: Callable[[], ClusterView],
        config: ClusterConfig,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checks = Kept(lambda: cluster_checks(look(), config), FRESH_S, monotonic, most_late=1)

    def checks(self) -> list[Check]:
        """Return all checks, at most FRESH_S old; takes WAIT_S at most. One thread looks, the others wait for it."""
        try:
            return self._checks.get(wait_s=WAIT_S)
        except StillLoading:
            return [Check("cluster", Reason.NO_LEADER, "looking at the cluster takes too long")]


def cluster_checks(view: ClusterView, config: ClusterConfig) -> list[Check]:
    """Return what trading needs, and what of it is missing in this view."""
    data = status_data(view, config)
    in_sync, least = in_sync_count(data), data["min_in_sync"]
    too_few = f"{in_sync} of {len(data['replicas'])} are in sync; {least} must be" if in_sync < least else ""
    catalog, error = data["catalog"], data["catalog"]["error"] or ""
    return [
        Check("catalog", Reason.CATALOG, "", note=error)
        if catalog["trades"]
        else Check("catalog", Reason.CATALOG, error),
        Check("leader", Reason.NO_LEADER, "" if data["leader"] is not None else "no replica leads"),
        Check("replicas", Reason.NO_LEADER, too_few),
    ]


readiness = OncePerProcess(lambda: Readiness(lambda: cluster_look().look(), cluster_config()))
