"""What a program does first: the caller's shell is kept out, and what it makes is its owner's alone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common.process.start import clean_environment

ROOT = Path(__file__).parents[3]
NAMES_OF_FILES = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

# What a shell may hold. `{shadow}` is a folder of modules that fail when they are imported.
SHELLS = {
    "another Django site": {"DJANGO_SETTINGS_MODULE": "mysite.settings"},
    "safe path": {"PYTHONSAFEPATH": "1"},
    "warnings are errors": {"PYTHONWARNINGS": "error"},
    "no UTF-8": NAMES_OF_FILES,
    "a startup file": {"PYTHONSTARTUP": "/nowhere/startup.py"},
    "optimized": {"PYTHONOPTIMIZE": "2", "PYTHONDONTWRITEBYTECODE": "1"},
    "debugging": {"PYTHONDEVMODE": "1", "PYTHONDUMPREFS": "1"},
    "shadowing modules": {"PYTHONPATH": "{shadow}"},
    "another encoding": {"PYTHONIOENCODING": "ascii:strict"},
    "another environment": {"VIRTUAL_ENV": "/nowhere", "CONDA_PREFIX": "/nowhere"},
    "no folder for temporary files": {"TMPDIR": "/nowhere"},
    "gRPC's options": {"GRPC_VERBOSITY": "debug", "GRPC_TRACE": "all", "GRPC_DNS_RESOLVER": "none"},
    "proxies": dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "all_proxy"), "http://127.0.0.1:1"),
    "make's options": {"MAKEFLAGS": "k", "MAKELEVEL": "1", "CDPATH": "/:/tmp", "PYTHONUNBUFFERED": "1"},
}

# Each command with the exit code and the last line that it has in an empty shell, where nothing runs.
COMMANDS = {
    "make run": (["-m", "deploy.run"], 1, "bourse: BOURSE_REPLICAS: entry 'none' is not ID=host:port"),
    "make status": (["-m", "deploy.control", "status"], 1, "bourse: nothing runs with data directory {data}; "),
    "make rebuild": (["-m", "backends.catalog.rebuild"], 1, "rebuild: BOURSE_REPLICAS: entry 'none' is not "),
    "catalog": (["-m", "backends.catalog"], 1, "catalog: BOURSE_REPLICAS: entry 'none' is not ID=host:port"),
    "replica": (["-m", "backends.order", "--replica-id", "1"], 1, "order-1: BOURSE_REPLICAS: entry 'none' is not ID="),
    "frontend": (["-m", "deploy.frontend"], 1, "frontend: BOURSE_REPLICAS: entry 'none' is not ID=host:port"),
    "probe": (["-m", "deploy.probe", "nowhere"], 1, "probe: HOST:PORT='nowhere' is not host:port"),
    "manage.py": (["manage.py", "replicas", "status"], 1, "manage.py: BOURSE_REPLICAS: entry 'none' is not ID="),
}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Python of an environment as `make install` makes it, with the packages of the one that runs this."""
    folder = tmp_path_factory.mktemp("installed")
    (folder / "empty.lock").touch()
    made = [str(ROOT / "deploy/install.sh"), sys.executable, str(folder / "venv"), str(folder / "empty.lock")]
    subprocess.run(["sh", *made], cwd=ROOT, check=True, capture_output=True)
    packages = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    next(folder.glob("venv/lib/*/site-packages")).joinpath("packages.pth").write_text(f"{packages}\n")
    return str(folder / "venv/bin/python")


@pytest.fixture(scope="module")
def shadow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shadow")
    for name in ("grpc", "structlog", "django", "queue", "argparse", "signal", "pathlib", "common", "backends"):
        (folder / f"{name}.py").write_text("raise RuntimeError('not ours')\n")
    return folder


def run(python: str, arguments: list[str], data: Path, variables: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [python, *arguments],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "BOURSE_DATA_DIR": str(data),
            "BOURSE_REPLICAS": "none",
            "BOURSE_LOG_FORMAT": "logfmt",
            **variables,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# Of modules by our own names a safe path would leave those of the caller alone.
EVERYTHING = {
    name: value for shell, variables in SHELLS.items() if shell != "safe path" for name, value in variables.items()
}


@pytest.mark.parametrize(
    ("command", "variables"),
    [
        *(pytest.param(command, EVERYTHING, id=f"{command}-everything at once") for command in COMMANDS),
        *(pytest.param(command, SHELLS["safe path"], id=f"{command}-safe path") for command in COMMANDS),
    ],
)
def test_what_the_callers_shell_holds_changes_nothing(python, shadow, tmp_path, command, variables):
    arguments, code, said = COMMANDS[command]
    data = tmp_path / "värld"
    ended = run(python, arguments, data, {n: v.format(shadow=shadow) for n, v in variables.items()})
    assert ended.stderr.startswith(said.format(data=data)), ended.stderr
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (code, "", 1)


def test_only_what_changes_nothing_is_kept():
    harmless = {"PATH": "/bin", "BOURSE_DATA_DIR": "var", "PYTHONHASHSEED": "1", "PYTHONUTF8": "1"}
    foreign = {"PYTHONPATH": "/x", "PYTHONSAFEPATH": "1", "GRPC_TRACE": "all", "DJANGO_SETTINGS_MODULE": "x.y"}
    assert clean_environment(harmless | foreign) == harmless
    assert clean_environment({"PYTHONUTF8": "0"}, is_utf8=False) == {"PYTHONUTF8": "1"}
    assert clean_environment({}, is_utf8=False) == {"PYTHONUTF8": "1"}


def test_process_is_the_one_that_was_started_and_what_it_makes_is_private(python, tmp_path):
    """A supervisor knows a process by its id, and the kernel ends it with its parent by the same."""
    shows = "import os, pathlib; from common.process.start import start_clean; start_clean(); "
    shows += "print(os.getpid(), os.environ.get('PYTHONWARNINGS')); pathlib.Path(os.environ['BOURSE_DATA_DIR']).mkdir()"
    started = subprocess.Popen(
        [python, "-c", shows],
        cwd=ROOT,
        env={"PYTHONWARNINGS": "error", "BOURSE_DATA_DIR": str(tmp_path / "made")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.communicate(timeout=30)[0].split() == [str(started.pid), "None"]
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o700


def test_interpreter_that_sets_such_a_variable_itself_starts_anew_once(python, tmp_path):
    """As a sitecustomize may, or a .pth file of some package: what is started finds it gone, and no other trace."""
    (packages,) = Path(python).parents[1].glob("lib/*/site-packages")
    (packages / "tracing.pth").write_text("import os; os.environ['GRPC_TRACE'] = 'all'\n")
    shows = "import os; os.write(2, b'begun\\n'); from common.process.start import start_clean; start_clean(); "
    shows += "print([name for name in os.environ if name.startswith(('GRPC', 'BOURSE'))])"
    try:
        ended = subprocess.run(
            [python, "-c", shows],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    finally:
        (packages / "tracing.pth").unlink()
    assert (ended.stdout, ended.stderr) == ("[]\n", "begun\n" * 2)


def has_begun(pid: int) -> bool:
    """Whether the program's first lines are behind it: its umask is the last that they set."""
    return "Umask:\t0077\n" in Path(f"/proc/{pid}/status").read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_interrupt_while_a_program_is_loaded_leaves_nothing_behind(tmp_path, command):
    """From its first lines on; before them, for some hundredths of a second, the interpreter itself is interrupted."""
    # As from a shell: with Ctrl-C heard, which a shell's job in the background does not, and a umask that is not ours.
    heard, private = signal.signal(signal.SIGINT, signal.default_int_handler), os.umask(0o022)
    try:
        started = subprocess.Popen(
            [sys.executable, *COMMANDS[command][0]],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "BOURSE_DATA_DIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    finally:
        signal.signal(signal.SIGINT, heard)
        os.umask(private)
    deadline = time.monotonic() + 30
    while not has_begun(started.pid):  # without a rest: what is to be met is short
        assert time.monotonic() < deadline
    started.send_signal(signal.SIGINT)
    assert started.communicate(timeout=30)[0] == b""
    assert started.returncode in (-signal.SIGINT, 130)  # by the signal, or by its main function
