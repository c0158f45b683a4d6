"""`make status`, `kill`, `freeze`, `stop` and `start`."""

import http.client
import socket
import xmlrpc.client
from pathlib import Path

import pytest
from supervisor.xmlrpc import Faults

from deploy import control
from deploy.control import NothingRuns, act, find_supervisor, freeze_process, running_addresses, state_line
from deploy.settings import RunSettings
from deploy.supervision import render

KNOWN = ["catalog", "order-3"]
# To the supervisor, of each command.
CALLS = {"status": 1, "kill": 2, "stop": 2, "start": 2, "freeze": 3}


class FakeSupervisor:
    """Refuses every call with one fault."""

    def __init__(self, fault: int | None, state: str = "RUNNING") -> None:
        self._fault = fault
        self._state = state
        self.calls: list[tuple[str, ...]] = []

    def _call(self, *call: str) -> None:
        self.calls.append(call)
        if self._fault is not None:
            raise xmlrpc.client.Fault(self._fault, "SOME_FAULT")

    def signalProcess(self, name: str, signal: str) -> None:
        self._call("signal", name, signal)

    def stopProcess(self, name: str) -> None:
        self._call("stop", name)

    def startProcess(self, name: str) -> None:
        self._call("start", name)

    def getProcessInfo(self, name: str) -> dict[str, str]:
        return {"name": name, "statename": self._state}


@pytest.mark.parametrize(
    ("command", "fault", "state", "code", "said"),
    [
        ("kill", None, "RUNNING", 0, "killed"),
        ("kill", Faults.NOT_RUNNING, "STOPPED", 1, "does not run"),
        ("stop", None, "RUNNING", 0, "stopped"),
        ("stop", Faults.NOT_RUNNING, "STOPPED", 0, "is stopped already"),
        ("start", None, "STOPPED", 0, "started"),
        ("start", Faults.ALREADY_STARTED, "RUNNING", 0, "runs already"),
        ("start", Faults.ALREADY_STARTED, "BACKOFF", 1, "in the terminal of `make run`"),
        ("start", Faults.ABNORMAL_TERMINATION, "BACKOFF", 1, "in the terminal of `make run`"),
        ("start", Faults.FAILED, "FATAL", 1, "SOME_FAULT"),
    ],
)
def test_what_is_as_it_was_wanted_is_no_error(capsys, command, fault, state, code, said):
    assert act(FakeSupervisor(fault, state), command, "catalog", KNOWN) == code
    output = capsys.readouterr()
    assert said in (output.err if code else output.out)
    assert (output.out if code else output.err) == ""


def test_kill_is_sigkill():
    supervisor = FakeSupervisor(None)
    act(supervisor, "kill", "order-3", KNOWN)
    assert supervisor.calls == [("signal", "order-3", "KILL")]


def test_unknown_process_is_answered_with_those_that_there_are(capsys):
    assert act(FakeSupervisor(Faults.BAD_NAME), "kill", "order-9", KNOWN) == 1
    assert capsys.readouterr().err == "order-9: there is no such process; there are catalog, order-3\n"


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "nan", "3601"])
def test_time_that_nothing_can_be_frozen_for_is_named(monkeypatch, capsys, seconds):
    monkeypatch.setattr("sys.argv", ["control", "freeze", "order-3", f"--seconds={seconds}"])
    with pytest.raises(SystemExit) as ended:
        control.main()
    assert ended.value.code == 2
    assert f"'{seconds}' is not a number of seconds above 0, up to 3600" in capsys.readouterr().err


def test_process_that_did_not_start_says_where_to_look():
    line = state_line({"name": "catalog", "statename": "FATAL", "description": "Exited too quickly"})
    assert line.split(maxsplit=2)[:2] == ["catalog", "FATAL"]
    assert "in the terminal of `make run`" in line


def test_nothing_that_runs_is_said_with_its_data_directory(tmp_path: Path):
    with pytest.raises(NothingRuns, match=f"nothing runs with data directory {tmp_path}"):
        find_supervisor(tmp_path)


def test_configuration_that_a_killed_system_left_is_nothing_that_runs(tmp_path: Path):
    settings = RunSettings.from_environment({"BOURSE_DATA_DIR": str(tmp_path)})
    settings.run_dir.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "100%.sock"))
    settings.config_path.write_text(render(settings, tmp_path / "100%.sock", user=None))
    with pytest.raises(NothingRuns, match="nothing runs"):
        find_supervisor(tmp_path)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (xmlrpc.client.Fault(Faults.SHUTDOWN_STATE, "SHUTDOWN_STATE"), "is being stopped"),
        (ConnectionRefusedError(), "nothing runs"),
        (http.client.RemoteDisconnected("gone"), "nothing runs"),
        (BrokenPipeError(32, "Broken pipe"), "cannot be reached: Broken pipe"),
    ],
)
@pytest.mark.parametrize(
    "command", [["status"], ["kill", "order-3"], ["stop", "order-3"], ["start", "order-3"], ["freeze", "order-3"]]
)
@pytest.mark.parametrize("calls_before", [0, 1, 2])
def test_system_that_is_stopping_is_said_in_one_line(tmp_path, monkeypatch, command, error, said, calls_before):
    """Whatever it is asked for, and however far that has come."""

    class Ending(FakeSupervisor):
        def getAllProcessInfo(self) -> list[dict[str, str]]:
            self._call("infos")
            return [{"name": name, "statename": "RUNNING", "description": ""} for name in KNOWN]

        def _call(self, *call: str) -> None:
            if len(self.calls) >= calls_before:
                raise error
            super()._call(*call)

    monkeypatch.setattr(control, "connect", lambda _path: Ending(None))
    monkeypatch.setattr(control, "show_replicas", lambda data_dir: len(control.running_addresses(data_dir)))
    monkeypatch.setattr("deploy.control.time.sleep", lambda _seconds: None)
    monkeypatch.setenv("BOURSE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["control", *command])
    with pytest.raises((NothingRuns, SystemExit)) as ended:
        control.main()
    if calls_before < CALLS[command[0]]:
        assert said in str(ended.value)
    elif command == ["status"]:  # the file of addresses is gone
        assert "nothing runs" in str(ended.value)
    else:
        assert ended.value.args == (0,)


def test_addresses_of_the_running_system_are_read_back(tmp_path: Path):
    variables = {
        "BOURSE_CATALOG": "127.0.0.1:7002",
        "BOURSE_REPLICAS": "1=127.0.0.1:7001,4=[::1]:7004",
        "BOURSE_MIN_IN_SYNC": "2",
        "BOURSE_ALLOW_PLAINTEXT": "0",
    }
    settings = RunSettings.from_environment({"BOURSE_DATA_DIR": str(tmp_path), **variables})
    settings.run_dir.mkdir()
    settings.addresses_path.write_text(settings.addresses())
    assert running_addresses(tmp_path) == variables


@pytest.mark.parametrize(
    "content", [b"", bytes(100), b"BOURSE_CATALOG=127.0.0.1:5\nBOURSE_REPLICAS=1\x00\n", b"\xff\n"]
)
def test_addresses_that_were_damaged_are_refused_with_what_to_do(tmp_path, content):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "addresses").write_bytes(content)
    with pytest.raises(NothingRuns, match="addresses is damaged: stop `make run` and start it again"):
        running_addresses(tmp_path)


@pytest.mark.parametrize("ends", [None, KeyboardInterrupt])
def test_frozen_process_goes_on_after_its_time_or_at_ctrl_c(monkeypatch, ends):
    supervisor = FakeSupervisor(None)

    def sleep(seconds):
        supervisor.calls.append(("sleep", seconds))
        if ends:
            raise ends

    monkeypatch.setattr("deploy.control.time.sleep", sleep)
    assert freeze_process(supervisor, "order-3", KNOWN, 5) == 0
    assert supervisor.calls == [("signal", "order-3", "STOP"), ("sleep", 5), ("signal", "order-3", "CONT")]


@pytest.mark.parametrize("name", ["frontend", "order-9"])
def test_what_cannot_be_frozen_is_refused_with_what_can(capsys, name):
    supervisor = FakeSupervisor(None)
    assert freeze_process(supervisor, name, [*KNOWN, "frontend"], 5) == 1
    assert "these can be: catalog, order-3" in capsys.readouterr().err
    assert supervisor.calls == []


def test_freezing_what_does_not_run_says_so(capsys):
    assert freeze_process(FakeSupervisor(Faults.NOT_RUNNING, "STOPPED"), "order-3", KNOWN, 5) == 1
    assert "does not run" in capsys.readouterr().err
