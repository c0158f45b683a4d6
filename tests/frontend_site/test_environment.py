import stat
import sys

import pytest

from common.process.config import ConfigError
from frontend_site.environment import FrontendConfig


def config(tmp_path, **variables):
    return FrontendConfig.from_environment({"BOURSE_DATA_DIR": str(tmp_path / "var"), **variables})


def test_without_any_variable_everything_has_a_safe_default(tmp_path):
    read = config(tmp_path)
    assert read.debug is False
    assert read.allowed_hosts == ["localhost", "127.0.0.1", "[::1]"]
    assert read.cache_size == 1000
    assert (read.event_streams, read.event_streams_per_account) == (2000, 100)
    assert read.created_status == 201
    assert read.database == {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "var/frontend.sqlite3")}
    assert read.cluster.catalog == "127.0.0.1:50052"


def test_data_directory_is_made_with_a_private_secret_key_that_stays(tmp_path):
    first = config(tmp_path)
    file = tmp_path / "var" / "secret_key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(first.secret_key) >= 50
    assert config(tmp_path).secret_key == first.secret_key
    assert {path.name for path in (tmp_path / "var").iterdir()} == {"secret_key", "operator_key"}


def test_given_secret_key_is_used_and_none_is_kept(tmp_path):
    assert config(tmp_path, BOURSE_SECRET_KEY="k" * 40).secret_key == "k" * 40
    assert not (tmp_path / "var" / "secret_key").exists()


@pytest.mark.parametrize(("text", "expected"), [("1", True), ("TRUE", True), ("on", True), ("0", False), ("", False)])
def test_debug_is_a_switch(tmp_path, text, expected):
    assert config(tmp_path, BOURSE_DEBUG=text).debug is expected


def test_authentication_and_limits_are_off_unless_asked_for(tmp_path):
    assert (config(tmp_path).authentication, config(tmp_path).rate_limits) == (False, {})
    read = config(tmp_path, BOURSE_AUTH="on", BOURSE_RATE_READ="100/s", BOURSE_RATE_OPERATE="60/m")
    assert read.authentication is True
    assert read.rate_limits == {"read": (100, 1), "operate": (60, 60)}


def test_cache_size_0_is_allowed(tmp_path):
    assert config(tmp_path, BOURSE_CACHE_SIZE="0").cache_size == 0


def test_hosts_and_database_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr("frontend_site.environment.load_backend", lambda _engine: None)  # whatever is installed
    read = config(tmp_path, BOURSE_ALLOWED_HOSTS="bourse.test, [::1]", DATABASE_URL="postgres://u:p@db.test/bourse")
    assert read.allowed_hosts == ["bourse.test", "[::1]"]
    assert (read.database["ENGINE"], read.database["HOST"]) == ("django.db.backends.postgresql", "db.test")


@pytest.mark.parametrize("url", ["sqlite://:memory:", "sqlite:///{}/own.sqlite3"])
def test_sqlite_elsewhere_is_accepted(tmp_path, url):
    assert config(tmp_path, DATABASE_URL=url.format(tmp_path)).database["ENGINE"] == "django.db.backends.sqlite3"


def test_sqlite_file_elsewhere_is_shut_to_others_too(tmp_path):
    path = tmp_path / "own.sqlite3"
    path.touch()
    path.chmod(0o644)
    config(tmp_path, DATABASE_URL=f"sqlite:///{path}")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("scheme", ["postgres", "mysql"])
def test_database_whose_driver_is_missing_is_refused_without_its_password(tmp_path, monkeypatch, scheme):
    for driver in ("psycopg", "psycopg2", "MySQLdb"):
        monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(ConfigError, match=f"^DATABASE_URL begins with '{scheme}'.*not installed") as refusal:
        config(tmp_path, DATABASE_URL=f"{scheme}://user:secret@db.test/bourse")
    assert "\n" not in str(refusal.value)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BOURSE_DEBUG", "maybe"),
        ("BOURSE_CACHE_SIZE", "-1"),
        ("BOURSE_CACHE_SIZE", "1e3"),
        ("BOURSE_EVENT_STREAMS", "10001"),
        ("BOURSE_EVENT_STREAMS_PER_ACCOUNT", "0"),
        ("BOURSE_ALLOWED_HOSTS", ","),
        ("BOURSE_ALLOWED_HOSTS", "http://bourse.test"),
        ("BOURSE_ALLOWED_HOSTS", "bourse.test:80"),
        ("BOURSE_SECRET_KEY", "short"),
        ("DATABASE_URL", "what"),
        ("DATABASE_URL", "nosql://host/name"),
        ("DATABASE_URL", "postgres://user:secret@host:port/name"),
        ("DATABASE_URL", "sqlite:////nowhere/at/all.sqlite3"),
        ("ORDERS_CREATED_STATUS", "204"),
        ("BOURSE_AUTH", "maybe"),
        ("BOURSE_SANDBOX_FAULTS", "maybe"),
        ("BOURSE_RATE_READ", "100"),
        ("BOURSE_RATE_TRADE", "0/s"),
        ("BOURSE_RATE_OPERATE", "1/y"),
        ("BOURSE_CATALOG", "nohost"),
        ("BOURSE_REPLICAS", "1=a:1,1=b:2"),
        ("BOURSE_MIN_IN_SYNC", "4"),
        ("BOURSE_DATA_DIR", "/proc/nowhere"),
    ],
)
def test_value_that_cannot_be_used_is_refused_by_the_name_of_its_variable(tmp_path, name, value):
    with pytest.raises(ConfigError, match=name) as refusal:
        config(tmp_path, **{name: value})
    assert "\n" not in str(refusal.value)
    assert "secret" not in str(refusal.value)
