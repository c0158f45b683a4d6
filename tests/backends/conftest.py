import pytest

from backends.log import Log
from tests.backends.log_files import CLUSTER, die, write_log


@pytest.fixture
def open_log(tmp_path):
    """Open a log with these rows in it; all are closed at the end."""
    logs: list[Log] = []

    def open_one(rows=(), **options):
        path = tmp_path / f"log-{len(logs)}.csv"
        if rows:
            write_log(path, list(rows))
        logs.append(Log.open(path, CLUSTER, damage="refuse", die=die, **options))
        return logs[-1]

    yield open_one
    for log in logs:
        log.close()
