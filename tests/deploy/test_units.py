"""The systemd units name what there is; systemd's own verifier goes over them in `make check`."""

import configparser
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

from common.process.config import ClusterConfig
from deploy.frontend import STOP_TIMEOUT_S
from deploy.settings import RunSettings
from deploy.supervision import programs
from frontend_site.production import ProductionConfig

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "deploy" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
PYTHON = "/opt/bourse/.venv/bin/python"


def unit(path: Path) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False)  # a key may be there twice: the second adds to the first
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(path.read_text())
    return parser


def environment_file() -> dict[str, str]:
    lines = (FOLDER / "bourse.env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_there_is_a_unit_for_each_process_of_make_run():
    expected = {tuple(program.command[1:]) for program in programs(RunSettings.from_environment({}))}
    found = set()
    for path in UNITS:
        command = shlex.split(unit(path)["Service"]["ExecStart"])
        assert command[0] == PYTHON
        if "@" in path.stem:
            found |= {tuple(part.replace("%i", str(number)) for part in command[1:]) for number in (1, 2, 3)}
        else:
            found.add(tuple(command[1:]))
    # `make run` gives the frontend its address as an argument, the unit in BOURSE_HTTP.
    assert {command[:2] if "deploy.frontend" in command else command for command in expected} == found


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_is_named_so_that_the_common_part_applies(path):
    assert path.name.startswith("bourse-")
    assert unit(path)["Install"]["WantedBy"] == "multi-user.target"
    module = shlex.split(unit(path)["Service"]["ExecStart"])[1:3]
    assert find_spec(module[1]) if module[0] == "-m" else (ROOT / module[0]).is_file()


def test_the_common_part_keeps_data_and_configuration_where_the_runbook_says():
    service = unit(FOLDER / "bourse-.service.d" / "common.conf")["Service"]
    assert service["Environment"].split()[0] == f"BOURSE_DATA_DIR=/var/lib/{service['StateDirectory']}"
    assert service["EnvironmentFile"] == "/etc/bourse/bourse.env"
    assert (service["User"], service["ProtectSystem"], service["NoNewPrivileges"]) == ("bourse", "strict", "yes")


def test_a_stop_waits_for_the_orders_under_way():
    assert int(unit(FOLDER / "bourse-frontend.service")["Service"]["TimeoutStopSec"]) > STOP_TIMEOUT_S


def test_the_example_of_the_environment_is_one_that_the_processes_take():
    """But for the certificate, which every site makes for itself, and the secret that is left out of it."""
    variables = environment_file()
    tls = {name: value for name, value in variables.items() if name.startswith("BOURSE_TLS_") and "PROXY" not in name}
    assert sorted(tls) == ["BOURSE_TLS_CA", "BOURSE_TLS_CERT", "BOURSE_TLS_KEY"]
    assert variables["BOURSE_SECRET_KEY"] == ""
    rest = {name: value for name, value in variables.items() if name not in tls}
    config = ClusterConfig.from_environment({**rest, "BOURSE_ALLOW_PLAINTEXT": "1"})
    assert (len(config.replicas), config.min_in_sync) == (3, 2)
    assert len({address.rpartition(":")[0] for address in config.replicas.values()}) == 3
    ProductionConfig.from_environment({**rest, "BOURSE_SECRET_KEY": "0123456789" * 5})
