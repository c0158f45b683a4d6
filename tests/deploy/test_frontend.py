"""The frontend's command line, in a process of its own, and its stop."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from common.calls.failures import RpcFailure
from deploy.frontend import stop_serving
from deploy.systems.ports import PortBlock
from trading import services
from trading.events import hub

ROOT = Path(__file__).parent.parent.parent


def frontend(tmp_path: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BOURSE_", "DJANGO_"))}
    return subprocess.run(
        [sys.executable, "-m", "deploy.frontend", *arguments],
        cwd=ROOT,
        env={**kept, "BOURSE_DATA_DIR": str(tmp_path / "var"), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_is_shown(tmp_path: Path):
    ended = frontend(tmp_path, "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "HOST:PORT" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "variables", "why"),
    [
        (["127.0.0.1"], {}, "HOST:PORT='127.0.0.1' is not host:port"),
        (["127.0.0.1:0"], {}, "HOST:PORT: the port of 127.0.0.1:0 is 0"),
        ([], {"PORT": "abc"}, "PORT='abc'"),
        (["127.0.0.1:1"], {"DATABASE_URL": "sqlite:////nowhere/at/all.sqlite3"}, "DATABASE_URL"),
    ],
)
def test_what_cannot_be_used_ends_with_one_line(tmp_path: Path, arguments, variables, why):
    ended = frontend(tmp_path, *arguments, **variables)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"frontend: {why}")
    assert len(ended.stderr.splitlines()) == 1


def test_stop_refuses_new_orders_and_ends_the_streams(monkeypatch: pytest.MonkeyPatch):
    stopped = threading.Event()
    monkeypatch.setattr(hub, "event_hub", lambda: SimpleNamespace(stop=stopped.set))
    monkeypatch.setattr(services, "_stopping", threading.Event())
    stop_serving()
    with pytest.raises(RpcFailure, match="is stopping"):
        services.run(services.place_order(name="ACME", type="buy", quantity=1, client_order_id="mine"))
    assert stopped.is_set()


STOPPED_WHILE_LOADING = """
import os, signal, sys, types

class Loading(types.ModuleType):
    def __getattr__(self, name):
        os.kill(os.getpid(), signal.{name})
        return print

sys.modules["frontend_site.asgi"] = Loading("frontend_site.asgi")
from deploy import frontend
frontend.run_program("frontend", lambda: frontend.serve("127.0.0.1:{port}", "PORT"), frontend.ConfigError)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_frontend_that_is_still_loading_ends_at_once(name):
    with closing(PortBlock()) as ports:
        program = STOPPED_WHILE_LOADING.format(name=name, port=ports.ports[0])
        ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=60, check=False, capture_output=True)
    assert ended.returncode in (-signal.Signals[name], 128 + signal.Signals[name])
    assert b"Traceback" not in ended.stderr


@pytest.mark.parametrize(("hard", "soft", "is_told"), [(20_000, 8_500, False), (4_000, 4_000, True)])
def test_as_many_files_may_be_open_as_connections_need(hard, soft, is_told):
    program = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (1024, {hard}))\n"
        "from deploy.frontend import raise_file_limit; raise_file_limit()\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=60, check=True, capture_output=True)
    *told, limits = ended.stdout.decode().splitlines()
    assert limits == f"({soft}, {hard})"
    assert any("fewer files" in line for line in told) is is_told
