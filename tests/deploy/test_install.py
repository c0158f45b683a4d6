"""`make install` puts what the lock file names into the environment, whatever the caller's pip and uv are told."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEPT = {"PIP_INDEX_URL": "https://a.test/simple", "PIP_CERT": "/ca.pem", "UV_DEFAULT_INDEX": "https://a.test/simple"}
FOREIGN = {
    "PIP_USER": "1",
    "PIP_TARGET": "/nowhere",
    "PIP_PREFIX": "/nowhere",
    "PIP_CONSTRAINT": "/nowhere/constraints.txt",
    "UV_TARGET": "/nowhere",
    "UV_SYSTEM_PYTHON": "1",
    "UV_CONSTRAINT": "/nowhere/constraints.txt",
    "UV_PROJECT_ENVIRONMENT": "/nowhere",
}


def put(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_only_where_packages_come_from_is_the_callers(tmp_path, installer):
    told, packages = tmp_path / "told", tmp_path / "packages"
    packages.mkdir()
    tell = f'env >"{told}"'
    put(tmp_path / "tools/uv", tell)
    has_pip = "exit 0" if installer == "pip" else "exit 1"
    put(
        tmp_path / "venv/bin/python",
        f'case "$*" in *purelib*) echo "{packages}" ;; "-c import pip") {has_pip} ;; *) {tell} ;; esac',
    )
    (tmp_path / "empty.lock").touch()
    subprocess.run(
        ["sh", "deploy/install.sh", sys.executable, str(tmp_path / "venv"), str(tmp_path / "empty.lock")],
        cwd=ROOT,
        env={"PATH": f"{tmp_path / 'tools'}:{os.environ['PATH']}", **KEPT, **FOREIGN},
        capture_output=True,
        timeout=30,
        check=True,
    )
    variables = dict(line.split("=", 1) for line in told.read_text().splitlines())
    assert {name: variables.get(name) for name in KEPT} == KEPT
    assert FOREIGN.keys() & variables.keys() == set()
    assert (packages / "bourse.pth").read_text() == f"{ROOT}\n"
