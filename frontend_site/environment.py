"""The frontend's own settings: read once from the environment, checked whole, frozen."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from django.db.utils import load_backend

from common.process.config import ClusterConfig, ConfigError, parse_count, parse_switch
from common.process.directories import make_directory
from common.process.private import keep_private
from common.process.rates import Rate, parse_rate
from frontend_site.database_file import check_database_file
from frontend_site.operator_key import FILE_NAME as OPERATOR_KEY_FILE
from frontend_site.operator_key import authentication_is_on, read_or_make_operator_key
from frontend_site.production import ProductionConfig
from frontend_site.secret_key import FILE_NAME as SECRET_KEY_FILE
from frontend_site.secret_key import LEAST_LENGTH, read_or_make_secret_key

DEFAULT_ALLOWED_HOSTS = "localhost,127.0.0.1,[::1]"
DEFAULT_CACHE_SIZE = "1000"
DEFAULT_EVENT_STREAMS = "2000"
# Each stream of events holds a connection, and some 20 KiB.
MOST_EVENT_STREAMS = 10_000
DEFAULT_EVENT_STREAMS_PER_ACCOUNT = "100"
DATABASE_FILE = "frontend.sqlite3"


@dataclass(frozen=True)
class FrontendConfig:
    """What the environment says about one frontend process.

    Attributes:
        cluster: the addresses of the other processes, and the folder for data (absolute here, and it exists).
        debug: Django's debug pages; never in a place that others reach.
        secret_key: signs sessions and form tokens.
        allowed_hosts: the names under which the site may be called; a request for another Host is refused.
        cache_size: most stocks in the stock cache; 0 switches it off.
        event_streams: most streams of events (GET /events) at once; 0: none is served.
        event_streams_per_account: most of them for one account.
        database: Django's own database: users and sessions, nothing that trading depends on.
        created_status: what a new order is answered with: 201, or 200 for clients that compare with 200 exactly.
        authentication: whether callers need a token, or to have logged in with one.
        operator_key: what operators need to change something while they need no token; None: they need one.
        rate_limits: how often one caller may call each class of endpoints; a class without a limit is missing.
        sandbox_faults: whether a client may ask for a failure of its order.
        production: how the site is reached from elsewhere; None: a sandbox.
    """

    cluster: ClusterConfig
    debug: bool
    secret_key: str
    allowed_hosts: list[str]
    cache_size: int
    event_streams: int
    event_streams_per_account: int
    database: dict[str, Any]
    created_status: int
    authentication: bool
    operator_key: str | None
    rate_limits: dict[str, Rate]
    sandbox_faults: bool
    production: ProductionConfig | None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "FrontendConfig":
        """Read and check everything. Makes the data directory, and in it the keys, when they are missing.

        An empty variable counts as one that is not set.

        Raises:
            ConfigError: a value that cannot be used; the message names its variable.
        """
        env = environ.Env()
        env.ENVIRON = {name: value for name, value in environment.items() if value.strip()}
        cluster = ClusterConfig.from_environment(env.ENVIRON)
        data_dir = _usable_directory(cluster.data_dir)
        keep_private(*(data_dir / name for name in (DATABASE_FILE, SECRET_KEY_FILE, OPERATOR_KEY_FILE)))
        production = ProductionConfig.from_environment(env.ENVIRON) if _switch(env, "BOURSE_PRODUCTION") else None
        authentication = authentication_is_on(env.ENVIRON)
        return cls(
            cluster=cluster,
            debug=_switch(env, "BOURSE_DEBUG"),
            secret_key=_secret_key(env, data_dir),
            allowed_hosts=_hosts(env),
            cache_size=parse_count(
                env.str("BOURSE_CACHE_SIZE", default=DEFAULT_CACHE_SIZE), name="BOURSE_CACHE_SIZE", least=0
            ),
            event_streams=_event_streams(env),
            event_streams_per_account=parse_count(
                env.str("BOURSE_EVENT_STREAMS_PER_ACCOUNT", default=DEFAULT_EVENT_STREAMS_PER_ACCOUNT),
                name="BOURSE_EVENT_STREAMS_PER_ACCOUNT",
            ),
            database=_database(env, data_dir),
            created_status=_created_status(env),
            authentication=authentication,
            operator_key=None if authentication else read_or_make_operator_key(data_dir),
            rate_limits=_rate_limits(env),
            sandbox_faults=_switch(env, "BOURSE_SANDBOX_FAULTS"),
            production=production,
        )


def _usable_directory(path: Path) -> Path:
    try:
        make_directory(path)
    except OSError as error:
        raise ConfigError(f"BOURSE_DATA_DIR={str(path)!r} cannot be made: {error.strerror}") from error
    return path.resolve()


def _switch(env: environ.Env, name: str) -> bool:
    return parse_switch(env.str(name, default="off"), name=name)


def _rate_limits(env: environ.Env) -> dict[str, Rate]:
    names = {limit: f"BOURSE_RATE_{limit.upper()}" for limit in ("read", "trade", "operate")}
    return {limit: parse_rate(env.str(name), name=name) for limit, name in names.items() if name in env.ENVIRON}


def _secret_key(env: environ.Env, data_dir: Path) -> str:
    given: str | None = env.str("BOURSE_SECRET_KEY", default=None)
    if given is None:
        return read_or_make_secret_key(data_dir)
    if len(given) < LEAST_LENGTH:
        # The value is left out of the message: it is meant to be secret.
        raise ConfigError(f"BOURSE_SECRET_KEY has {len(given)} characters; at least {LEAST_LENGTH} are needed")
    return given


def _hosts(env: environ.Env) -> list[str]:
    text = env.str("BOURSE_ALLOWED_HOSTS", default=DEFAULT_ALLOWED_HOSTS)
    hosts = [host.strip() for host in text.split(",") if host.strip()]
    for host in hosts:
        if "/" in host or " " in host or (host.count(":") == 1 and not host.startswith("[")):
            raise ConfigError(f"BOURSE_ALLOWED_HOSTS: {host!r} is not a host name without scheme, port and path")
    if not hosts:
        raise ConfigError(f"BOURSE_ALLOWED_HOSTS={text!r} names no host")
    return hosts


def _database(env: environ.Env, data_dir: Path) -> dict[str, Any]:
    default = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(data_dir / DATABASE_FILE)}
    text: str | None = env.str("DATABASE_URL", default=None)
    if text is None:
        check_database_file(data_dir / DATABASE_FILE)
        return default
    scheme, separator, _rest = text.partition("://")
    if not separator or scheme not in environ.Env.DB_SCHEMES:
        # The rest of the URL may hold a password.
        raise ConfigError(f"DATABASE_URL begins with {scheme[:20]!r}: not the URL of a database that is known")
    try:
        database: dict[str, Any] = environ.Env.db_url_config(text)
    except (ValueError, environ.ImproperlyConfigured) as error:
        raise ConfigError(f"DATABASE_URL cannot be read: {type(error).__name__}") from error
    _check_database(database, scheme)
    return database


def _check_database(database: Mapping[str, Any], scheme: str) -> None:
    """Raise unless Django could use this database, as far as that shows without connecting.

    Raises:
        ConfigError: the folder of an SQLite file, or the package that a kind of database needs, is missing.
    """
    engine, name = database["ENGINE"], database["NAME"]
    if engine == "django.db.backends.sqlite3":
        if name != ":memory:" and not Path(name).parent.is_dir():
            raise ConfigError(f"DATABASE_URL: there is no folder {str(Path(name).parent)!r} for the SQLite file")
        if name != ":memory:":
            check_database_file(Path(name))
            keep_private(Path(name))
        return
    try:
        load_backend(engine)
    except (ImportError, ImproperlyConfigured) as error:
        raise ConfigError(
            f"DATABASE_URL begins with {scheme!r}, and what that needs is not installed: {_first_line(error)}"
        ) from error


def _first_line(error: Exception) -> str:
    """Return the first line of what went wrong, the deepest cause: Django wraps it in advice."""
    while isinstance(error.__cause__, Exception):
        error = error.__cause__
    return str(error).partition("\n")[0]


def _event_streams(env: environ.Env) -> int:
    name = "BOURSE_EVENT_STREAMS"
    count = parse_count(env.str(name, default=DEFAULT_EVENT_STREAMS), name=name, least=0)
    if count > MOST_EVENT_STREAMS:
        raise ConfigError(f"{name}={count} is above {MOST_EVENT_STREAMS}: one process cannot serve more")
    return count


def _created_status(env: environ.Env) -> int:
    text = env.str("ORDERS_CREATED_STATUS", default="201")
    if text not in ("200", "201"):
        raise ConfigError(f"ORDERS_CREATED_STATUS={text!r} is neither 201 nor 200")
    return int(text)
