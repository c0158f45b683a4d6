"""`python -m tests.harness.first_requests PATH...`: many first requests at once to a fresh frontend, for each path.

Loads the WSGI application as its server does, and forks for each path: the child is a frontend that was never asked
anything. Writes a line of JSON for each: [path, [status, ...]].
"""

import io
import json
import os
import sys
import threading
from typing import Any

AT_ONCE = 6
# As often as can be, so that threads meet within every step of what is made at the first request.
SWITCH_S = 1e-6


def ask(application: Any, path: str, statuses: list[str], together: threading.Barrier) -> None:
    """Send one GET, at the same moment as the others, and keep its status."""
    path, _, query = path.partition("?")
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
        "HTTP_ACCEPT": "text/html" if path.startswith(("/dashboard", "/docs", "/login")) else "*/*",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    together.wait()
    try:
        next(iter(application(environ, lambda status, _headers: statuses.append(status))))
    except Exception as error:  # noqa: BLE001 - a server would answer 500
        statuses.append(f"500 {error!r}")


def ask_all(application: Any, path: str) -> list[str]:
    """Return the statuses of requests that were sent at once."""
    statuses: list[str] = []
    together = threading.Barrier(AT_ONCE)
    threads = [threading.Thread(target=ask, args=(application, path, statuses, together)) for _ in range(AT_ONCE)]
    sys.setswitchinterval(SWITCH_S)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def main() -> None:
    """Run the command line."""
    from frontend_site.wsgi import application

    for path in sys.argv[1:]:
        child = os.fork()
        if child == 0:
            print(json.dumps([path, ask_all(application, path)]), flush=True)
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
