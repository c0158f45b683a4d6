"""BOURSE_PRODUCTION: what a site that others reach must have."""

import os
import subprocess
import sys

import pytest

from common.process.config import ConfigError
from frontend_site.environment import FrontendConfig

ENOUGH = {
    "BOURSE_PRODUCTION": "on",
    "BOURSE_SECRET_KEY": "a-secret-of-this-test-alone-0123456789-abcdefghijklmn",
    "BOURSE_ALLOWED_HOSTS": "bourse.test",
    "BOURSE_TLS_PROXY_HEADER": "X-Forwarded-Proto=https",
}


def config(tmp_path, **variables):
    return FrontendConfig.from_environment({"BOURSE_DATA_DIR": str(tmp_path / "var")} | ENOUGH | variables)


def test_production_needs_authentication_and_ends_no_tls_itself(tmp_path):
    read = config(tmp_path)
    assert read.authentication is True
    assert read.production.proxy_header == ("HTTP_X_FORWARDED_PROTO", "https")
    assert (read.production.hsts_seconds, read.production.hsts_subdomains) == (3600, False)


def test_hsts_is_written_as_the_header_has_it(tmp_path):
    read = config(tmp_path, BOURSE_HSTS="31536000; includeSubDomains; preload").production
    assert (read.hsts_seconds, read.hsts_subdomains, read.hsts_preload) == (31536000, True, True)


def test_no_secret_key_is_made_in_production(tmp_path):
    with pytest.raises(ConfigError, match="BOURSE_SECRET_KEY"):
        config(tmp_path, BOURSE_SECRET_KEY="")
    assert not (tmp_path / "var" / "secret_key").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BOURSE_PRODUCTION", "maybe"),
        ("BOURSE_SECRET_KEY", "too-short-for-production"),
        ("BOURSE_SECRET_KEY", "k" * 60),
        ("BOURSE_ALLOWED_HOSTS", ""),
        ("BOURSE_ALLOWED_HOSTS", "bourse.test, *"),
        ("BOURSE_TLS_PROXY_HEADER", ""),
        ("BOURSE_TLS_PROXY_HEADER", "X-Forwarded-Proto"),
        ("BOURSE_AUTH", "off"),
        ("BOURSE_DEBUG", "on"),
        ("BOURSE_SANDBOX_FAULTS", "on"),
        ("BOURSE_HSTS", "0"),
        ("BOURSE_HSTS", "3600; includeEverything"),
    ],
)
def test_what_only_a_sandbox_may_have_is_refused(tmp_path, name, value):
    with pytest.raises(ConfigError, match=name) as refusal:
        config(tmp_path, **{name: value})
    assert ENOUGH["BOURSE_SECRET_KEY"] not in str(refusal.value)


def test_check_deploy_is_clean(tmp_path):
    """With the settings that docs/API.md, "Production", names."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BOURSE_")}
    settings = ENOUGH | {"BOURSE_DATA_DIR": str(tmp_path), "BOURSE_HSTS": "31536000; includeSubDomains; preload"}
    checked = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "INFO"],
        env=environment | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout) == (0, "System check identified no issues (0 silenced).\n")
    assert checked.stderr == ""
