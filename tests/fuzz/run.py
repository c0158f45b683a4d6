"""`make fuzz`: schemathesis makes requests from the OpenAPI document, valid and not, against the running system.

Every answer must be one that the document describes: its code, headers and body. Valid requests must be accepted,
others refused. Twice: in a sandbox, and with authentication on.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.harness.cluster import Cluster
from tests.harness.seeds import write_seed

HERE = Path(__file__).parent


def fuzz(cluster: Cluster, *, examples: int, seed: int, phases: str) -> "subprocess.CompletedProcess[str]":
    """Run schemathesis against a cluster that runs; its summary is in `stdout`, exit code 0 if it found nothing.

    What it keeps of a run (`.schemathesis`) is left beside the cluster's data.
    """
    program = str(Path(sys.executable).with_name("schemathesis"))
    command = [program, "--config-file", str(HERE / "schemathesis.toml"), "run"]
    command += [f"http://{cluster.rest.address}/schema", "--max-examples", str(examples), "--seed", str(seed)]
    command += ["--phases", phases, "--continue-on-failure", "--suppress-health-check", "all"]
    for name, value in cluster.rest.headers.items():
        command += ["--header", f"{name}: {value}"]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks", "PYTHONPATH": str(HERE.parent.parent)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=cluster.data_dir)


def main() -> None:
    """Run the command line; exit code 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__)
    parser.add_argument("--examples", type=int, default=200, help="cases for each operation and phase (200)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of a run to repeat")
    given = parser.parse_args()
    codes = []
    for account in (None, ("fuzz", "trader"), ("fuzzop", "operator")):
        print(f"--- {f'as {account[1]}' if account else 'authentication off'}, seed {given.seed}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            write_seed(Path(folder) / "seed.csv")
            switch = {"BOURSE_AUTH": "on" if account else "off"}
            cluster = Cluster(Path(folder), Path(folder) / "seed.csv", environment=switch)
            if account:
                cluster.manage("migrate", "--verbosity", "0")
                cluster.log_in(*account)
            with cluster:
                if not account:
                    cluster.rest.headers = {"Authorization": f"Bearer {cluster.operator_key}"}
                done = fuzz(
                    cluster, examples=given.examples, seed=given.seed, phases="examples,coverage,fuzzing,stateful"
                )
        print(done.stdout + done.stderr, flush=True)
        codes.append(done.returncode)
    sys.exit(1 if any(codes) else 0)


if __name__ == "__main__":
    main()
