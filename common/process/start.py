"""The first thing that each program does: it becomes one that was started from an empty shell.

Nothing is imported here but what the interpreter has loaded by itself: any other module might be the caller's own,
found by PYTHONPATH.
"""

import os
import sys
from collections.abc import Mapping

# Python's own variables that change neither what is imported nor what is done. All others of it go.
_HARMLESS = {
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHASHSEED",
    "PYTHONNOUSERSITE",
    "PYTHONPYCACHEPREFIX",
    "PYTHONUNBUFFERED",
    "PYTHONUTF8",
}
# gRPC's grpc_proxy, in lower case, stays: who sets it means these processes (common/calls/channels.py).
_FOREIGN = ("PYTHON", "GRPC_", "DJANGO_SETTINGS_MODULE")
_PRIVATE = 0o077
# Holds the id of the process that has started anew, which it does once: what the interpreter itself sets as it starts
# (a sitecustomize, a .pth file) would be there again each time.
_CLEANED = "BOURSE_STARTED_CLEAN"


def start_clean() -> None:
    """Keep what this process makes to its owner, and the caller's shell out of it; end at Ctrl-C without a trace.

    Call it in the program's first lines, before any other import, and only there: the process may start anew, as the
    same one, with the variables that are left. From here on, until `run_program` (common/process/finish.py), a Ctrl-C
    ends it at once: it has nothing to clean up.
    """
    environment = clean_environment(os.environ, is_utf8=sys.getfilesystemencoding() == "utf-8")
    cleaned = environment.pop(_CLEANED, None) == str(os.getpid())
    if environment != os.environ and not cleaned:
        environment[_CLEANED] = str(os.getpid())
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
    os.environ.clear()
    os.environ.update(environment)  # and so do the processes that this one starts
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where the caller has it ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.umask(_PRIVATE)


def clean_environment(environment: Mapping[str, str], *, is_utf8: bool = True) -> dict[str, str]:
    """Return the variables without those by which a shell would change what Python, Django or gRPC does.

    Args:
        is_utf8: whether the names of files are UTF-8 under them. If not, the result says that they are.
    """
    clean = {name: value for name, value in environment.items() if name in _HARMLESS or not name.startswith(_FOREIGN)}
    if not is_utf8 or clean.get("PYTHONUTF8") == "0":
        clean["PYTHONUTF8"] = "1"
    return clean
