"""Ports for systems beside each other."""

import random
import socket

from deploy.settings import try_address

# Below the range from which Linux takes the ports of outgoing connections (32768 up): between the choice of a port and
# its use nobody but another system of this kind could take it, and those are kept apart by a name that each block has.
FIRST_PORT = 20_000
BLOCK_COUNT = 1_200
BLOCK_SIZE = 10


class PortBlock:
    """Ten consecutive free ports of loopback, this object's until it is closed or the process ends."""

    def __init__(self) -> None:
        for block in random.SystemRandom().sample(range(BLOCK_COUNT), BLOCK_COUNT):
            self._claim = socket.socket(socket.AF_UNIX)
            try:
                self._claim.bind(f"\0bourse-ports-{block}")  # an abstract name: no file, gone with its holder
                self.ports = [FIRST_PORT + block * BLOCK_SIZE + place for place in range(BLOCK_SIZE)]
                if all(is_free(port) for port in self.ports):
                    return
            except OSError:  # another system's
                pass
            self._claim.close()
        raise RuntimeError("no block of free ports")

    @property
    def addresses(self) -> list[str]:
        """The ports as host:port."""
        return [f"127.0.0.1:{port}" for port in self.ports]

    def close(self) -> None:
        """Give the block up."""
        self._claim.close()


def is_free(port: int) -> bool:
    """Return whether a server could listen on this port of loopback now."""
    try:
        try_address(f"127.0.0.1:{port}").close()
    except OSError:
        return False
    return True
