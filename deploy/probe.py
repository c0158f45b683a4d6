"""`python -m deploy.probe HOST:PORT [SERVICE]`: asks the standard health service of a catalog or a replica.

For supervisors whose own probe knows no mutual TLS, as that of Kubernetes; it reads the variables of the processes.
Exit code 0: SERVING; 1: anything else, with one line that says what.
"""

if __name__ == "__main__":
    from common.process.start import start_clean

    start_clean()

import argparse
import os
import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from common.calls.channels import open_channel
from common.process.config import ConfigError, parse_address
from common.process.finish import run_program
from common.process.tls import Tls


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m deploy.probe", description="Asks a process for its health.")
    parser.add_argument("address", metavar="HOST:PORT")
    parser.add_argument("service", nargs="?", default="", help="full name of a service; none: the process itself")
    parser.add_argument("--timeout", type=float, default=1.0, metavar="SECONDS")
    arguments = parser.parse_args()
    status = ask(parse_address(arguments.address, name="HOST:PORT"), arguments.service, arguments.timeout)
    if status != "SERVING":
        sys.exit(f"{arguments.address} {arguments.service}: {status}")


def ask(address: str, service: str, timeout_s: float) -> str:
    """Return the status of a service by name, or why there is none.

    Raises:
        ConfigError: the variables of TLS cannot be used.
    """
    request = health_pb2.HealthCheckRequest(service=service)
    with open_channel(address, Tls.from_environment(os.environ)) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout_s)
        except grpc.RpcError as error:
            return f"{error.code().name}: {error.details()}"
    name: str = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return name


if __name__ == "__main__":
    run_program("probe", main, ConfigError)
