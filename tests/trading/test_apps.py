import subprocess
import sys

import pytest

from tests.harness.process import ROOT

SCRIPT = """
import django
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, reset_queries
django.setup()
asked = [each() for signal in (request_started, request_finished) for (_, each, *_) in signal.receivers]
print(sum(each in (close_old_connections, reset_queries) for each in asked))
"""


@pytest.mark.parametrize(("authentication", "looks"), [("off", 0), ("on", 3)])
def test_requests_look_after_the_database_only_where_there_are_accounts(tmp_path, authentication, looks):
    environment = {
        "BOURSE_AUTH": authentication,
        "BOURSE_DATA_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "frontend_site.settings",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == (str(looks), 0), done.stderr
