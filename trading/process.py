"""What one process has once: its configuration and its channels."""

import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from common.calls.network import Network
from common.process.config import ClusterConfig

T = TypeVar("T")


class OncePerProcess(Generic[T]):
    """Makes one object when it is first asked for, and another one in each forked child.

    Nothing is made at import or before a fork, so no lock, thread or channel is ever shared by two processes. Any
    number of threads may call it; all of one process get the same object.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._made: tuple[T] | None = None  # replaced as a whole

    def __call__(self) -> T:
        """Return this process's object, made now if need be; what making it raises is raised."""
        made = self._made
        if made is not None:
            return made[0]
        with self._lock:
            if self._made is None:
                self._made = (self._make(),)
            return self._made[0]


def _read_cluster_config() -> ClusterConfig:
    return ClusterConfig.from_environment(os.environ)


# Raises ConfigError at the first call if the environment holds a value that cannot be used.
cluster_config = OncePerProcess(_read_cluster_config)
network = OncePerProcess(lambda: Network(cluster_config().tls))
