"""The supervisor's configuration."""

import configparser
import os
import re
import shlex
from pathlib import Path

from deploy.run import choose_socket_path
from deploy.settings import MAX_SOCKET_PATH, RunSettings
from deploy.supervision import render


def parsed(environment: dict[str, str], socket_path: Path = Path("/tmp/bourse.sock")) -> configparser.RawConfigParser:
    """Return the configuration for an environment, as supervisord would read it but for its expansions."""
    config = configparser.RawConfigParser()
    config.read_string(render(RunSettings.from_environment(environment), socket_path, user=None))
    return config


def test_a_program_for_each_process():
    names = [section.partition(":")[2] for section in parsed({}).sections() if section.startswith("program:")]
    assert names == ["catalog", "order-1", "order-2", "order-3", "frontend", "health"]


def test_replicas_are_those_of_the_configuration():
    config = parsed({"BOURSE_REPLICAS": "4=127.0.0.1:7004,9=127.0.0.1:7009"})
    assert config["program:order-9"]["command"].endswith("-m backends.order --replica-id 9")
    assert "program:order-1" not in config


def test_seed_with_blanks_and_percent_signs_arrives_whole(tmp_path: Path):
    seed = tmp_path / "my 100% stocks.csv"
    seed.touch()
    command = parsed({"SEED": str(seed)})["program:catalog"]["command"]
    assert shlex.split(command % {"ENV_OWN_PID": "7"})[-2:] == ["--seed", str(seed)]


def cores(environment: dict[str, str]) -> list[str]:
    config = parsed(environment)
    commands = [config[section]["command"] for section in config.sections() if section.startswith("program:")]
    return [core for command in commands for core in re.findall(r"--core (\d+)", command)]


def test_each_process_keeps_to_a_core_unless_that_is_switched_off(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 2})
    assert cores({}) == ["0", "2", "0", "2", "0", "2"]
    assert cores({"BOURSE_KEEP_TO_CORES": "off"}) == []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {2})
    assert cores({}) == []


def test_socket_path_fits_however_deep_the_data_directory_is(tmp_path: Path):
    shallow = Path("/srv/bourse/run")
    assert choose_socket_path(shallow).parent == shallow
    deep = tmp_path / ("d" * 120) / "run"
    path = choose_socket_path(deep)
    assert len(str(path)) <= MAX_SOCKET_PATH
    assert path.parent.stat().st_mode & 0o077 == 0
    path.parent.rmdir()
