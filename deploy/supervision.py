"""The supervisor's configuration, one program for each process of the system, and calls to a supervisor that runs."""

import configparser
import secrets
import shlex
import sys
import xmlrpc.client
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from common.process.metrics import METRICS_VARIABLE
from deploy.cores import core_arguments, core_of
from deploy.settings import ROOT, RunSettings

STOP_TIMEOUT_S = 5
FRONTEND_STOP_TIMEOUT_S = 12


@dataclass(frozen=True)
class Program:
    """One supervised process.

    Attributes:
        stop_timeout_s: how long it may take to end after SIGTERM, before it is killed.
    """

    name: str
    command: list[str]
    stop_timeout_s: int = STOP_TIMEOUT_S


def programs(settings: RunSettings) -> list[Program]:
    """Return the processes in the order in which they start; they stop in the reverse order."""
    # A frontend has longer than its server waits for its own orders under way, deploy/frontend.py.
    own = commands(settings.cluster.replicas, {"frontend": settings.http}, settings.seed)
    return [
        Program(name, command, *([FRONTEND_STOP_TIMEOUT_S] if name == "frontend" else []))
        for name, command in own.items()
    ]


def commands(
    replica_ids: Iterable[int], frontends: Mapping[str, str], seed: Path | None, interval_s: int | None = None
) -> dict[str, list[str]]:
    """Return the command of each process of a system by its name, in the order in which they start.

    Args:
        frontends: the address of each by its name.
        seed: stocks for a new catalog; None: the shipped list.
        interval_s: of the health loop; None: the usual one.
    """
    python = sys.executable
    watch = [python, "manage.py", "replicas", "watch"]
    return {
        "catalog": [python, "-m", "backends.catalog", *(["--seed", str(seed)] if seed else [])],
        **{f"order-{number}": replica_command(number) for number in replica_ids},
        **{name: [python, "-m", "deploy.frontend", address] for name, address in frontends.items()},
        "health": watch if interval_s is None else [*watch, "--interval", str(interval_s)],
    }


def replica_command(replica_id: int) -> list[str]:
    """Return the command of one replica."""
    return [sys.executable, "-m", "backends.order", "--replica-id", str(replica_id)]


def render(settings: RunSettings, socket_path: Path, user: str | None) -> str:
    """Return supervisord's configuration. It holds a password: write it readable by its owner alone.

    Args:
        user: whom the supervisor is told to stay, which spares it a warning; None where it is not root.
    """
    password = secrets.token_hex(16)
    socket = _literal(str(socket_path))
    sections = [
        ["[supervisord]", "nodaemon=true", "logfile=/dev/null", "logfile_maxbytes=0", "loglevel=info", "umask=077"]
        + [f"pidfile={_literal(str(settings.run_dir / 'supervisord.pid'))}", f"directory={_literal(str(ROOT))}"]
        + ([f"user={user}"] if user else []),
        ["[unix_http_server]", f"file={socket}", "chmod=0600", "username=bourse", f"password={password}"],
        ["[supervisorctl]", f"serverurl=unix://{socket}", "username=bourse", f"password={password}"],
        [
            "[rpcinterface:supervisor]",
            "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
        ],
    ]
    for priority, program in enumerate(programs(settings), start=1):
        core = core_of(priority - 1) if settings.keeps_to_cores else None
        sections.append(_program_lines(program, priority, core))
        if address := settings.metrics.get(program.name):
            sections[-1].append(f'environment={METRICS_VARIABLE}="{address}"')
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def connect(config_path: Path) -> Any:
    """Return the remote interface of the supervisor that runs with this configuration. Its calls raise
    xmlrpc.client.Fault, or OSError or http.client.HTTPException when nothing answers.

    Raises:
        OSError: there is no such file: nothing runs.
    """
    config = configparser.RawConfigParser()
    config.read_string(config_path.read_text())
    section = config["supervisorctl"]
    url = section["serverurl"].replace("%%", "%")
    transport = SupervisorTransport(section["username"], section["password"], url)
    return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor


def _program_lines(program: Program, priority: int, core: int | None) -> list[str]:
    command = [*core_arguments(core), *program.command]
    return [
        f"[program:{program.name}]",
        # Ends with the supervisor, whose id deploy/parent.py has put into its environment.
        f"command={_literal(shlex.join([sys.executable, '-S', '-E', 'deploy/parent.py']))} %(ENV_OWN_PID)s "
        + _literal(shlex.join(command)),
        f"priority={priority}",
        "autorestart=true",
        # One that ends within three seconds did not start: it is tried three times more, a little later each time, then
        # given up ("FATAL"), so that a refusal to start does not fill the terminal for ever.
        "startsecs=3",
        "startretries=3",
        f"stopwaitsecs={program.stop_timeout_s}",
        "killasgroup=true",
        "redirect_stderr=true",
        "stdout_logfile=/dev/fd/1",
        "stdout_logfile_maxbytes=0",
    ]


def _literal(text: str) -> str:
    """Return text for a value that the supervisor expands by Python's %-formatting."""
    return text.replace("%", "%%")
