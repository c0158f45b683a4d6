"""The image and the compose file name what there is. No engine runs them here: form and values are checked."""

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from common.process.config import ClusterConfig
from deploy.settings import RunSettings, http_address
from deploy.supervision import programs

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "deploy" / "docker"


def compose() -> Any:
    return yaml.safe_load((FOLDER / "compose.yaml").read_text())


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile: name and arguments, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (FOLDER / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def test_there_is_a_service_for_each_process_of_make_run():
    services = compose()["services"]
    commands = {program.name: program.command[1:] for program in programs(RunSettings.from_environment({}))}
    assert sorted(services) == sorted("watch" if name == "health" else name for name in commands)
    for name in ("catalog", "order-1", "order-2", "order-3"):
        assert services[name]["command"] == commands[name]
    assert services["watch"]["command"] == commands["health"]
    assert services["frontend"]["entrypoint"][-1].endswith("exec python -m deploy.frontend")


@pytest.mark.parametrize("name", ["catalog", "order-1", "order-2", "order-3", "frontend", "watch"])
def test_every_process_is_given_addresses_that_are_names_of_services(name):
    service = compose()["services"][name]
    config = ClusterConfig.from_environment(service["environment"])
    assert config.catalog == "catalog:50052"
    assert config.replicas == {number: f"order-{number}:{50053 + number}" for number in (1, 2, 3)}
    assert service["volumes"] == [f"{name}:/data"]
    assert name in compose()["volumes"]


def test_the_frontend_is_published_where_it_listens_and_on_loopback_alone():
    service = compose()["services"]["frontend"]
    _, port = http_address(service["environment"]).rsplit(":", 1)
    assert service["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"127.0.0.1:{port}/healthz" in service["healthcheck"]["test"][-1]


def test_the_image_is_built_of_files_that_there_are():
    copied = {rest.split()[0] for name, rest in instructions() if name == "COPY" and "--from" not in rest}
    assert all((ROOT / source).exists() for source in copied)
    kept = {line[1:] for line in (FOLDER / "Dockerfile.dockerignore").read_text().splitlines() if line[0] == "!"}
    assert kept == copied
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "examples", "benchmarks"}
    assert packages <= copied


def test_the_image_runs_as_a_user_and_keeps_data_where_the_compose_file_mounts_it():
    kinds = [name for name, _ in instructions()]
    assert set(kinds) <= {"FROM", "COPY", "RUN", "WORKDIR", "ENV", "USER", "VOLUME", "ENTRYPOINT", "CMD"}
    last = dict(instructions())
    assert (last["USER"], last["VOLUME"]) == ("bourse", "/data")
    assert "BOURSE_DATA_DIR=/data" in last["ENV"]
    assert json.loads(last["ENTRYPOINT"]) == ["python"]
    assert find_spec(json.loads(last["CMD"])[-1])
    assert (ROOT / compose()["services"]["catalog"]["build"]["dockerfile"]).is_file()
