"""`make certificates`: what it makes, the processes can use."""

import subprocess
from pathlib import Path

import pytest

from common.process.tls import TLS_VARIABLES, Tls
from deploy.settings import ROOT


def make(folder: Path, name: str, hosts: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", "deploy/certificates.sh", str(folder), name, hosts],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def printed_variables(output: str) -> dict[str, str]:
    (line,) = [line for line in output.splitlines() if line.startswith("export ")]
    return dict(pair.split("=", 1) for pair in line.split()[1:])


def test_two_certificates_of_one_authority_that_are_ready_for_use(tmp_path: Path):
    first = printed_variables(make(tmp_path, "bourse", "localhost 127.0.0.1 ::1").stdout)
    second = printed_variables(make(tmp_path, "node2", "10.0.0.2 node2.example").stdout)
    assert list(first) == list(second) == list(TLS_VARIABLES)
    for variables in (first, second):
        assert Tls.from_environment(variables) is not None
    assert first["BOURSE_TLS_CA"] == second["BOURSE_TLS_CA"]
    assert Path(first["BOURSE_TLS_KEY"]).stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix in (".csr", ".ext")) == []


@pytest.mark.parametrize(
    ("name", "hosts", "said"), [("ca", "localhost", "NAME=ca"), ("n", "300.1.1.1", "bad ip address")]
)
def test_what_cannot_be_made_is_refused_with_its_cause(tmp_path: Path, name: str, hosts: str, said: str):
    made = make(tmp_path, name, hosts)
    assert made.returncode == 1
    assert said in made.stderr
