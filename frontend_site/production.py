"""What a site that others reach must have: BOURSE_PRODUCTION=on refuses to start with less."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from common.process.config import ConfigError, parse_count, parse_switch

# As Django's own check asks of it (security.W009).
SECRET_KEY_LENGTH = 50
SECRET_KEY_DIFFERENT = 5
DEFAULT_HSTS = "3600"
_HEADER = re.compile(r"([A-Za-z][A-Za-z-]*)=([A-Za-z0-9-]+)")


@dataclass(frozen=True)
class ProductionConfig:
    """How the site is reached: through a proxy that ends TLS.

    Attributes:
        proxy_header: the header by which the proxy says that a request came by TLS, as WSGI names it, and its value
            then. The proxy must set it, or remove it, on every request.
        hsts_seconds: for how long browsers use nothing but TLS here (RFC 6797).
        hsts_subdomains, hsts_preload: the two directives of that header.
    """

    proxy_header: tuple[str, str]
    hsts_seconds: int
    hsts_subdomains: bool
    hsts_preload: bool

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "ProductionConfig":
        """Read BOURSE_TLS_PROXY_HEADER and BOURSE_HSTS, and check that nothing of a sandbox is left.

        Raises:
            ConfigError: a value is missing, or is one that only a sandbox may have.
        """
        for name in ("BOURSE_SECRET_KEY", "BOURSE_ALLOWED_HOSTS", "BOURSE_TLS_PROXY_HEADER"):
            if name not in environment:
                raise ConfigError(f"BOURSE_PRODUCTION is on: {name} must be set; it has no default there")
        secret_key = environment["BOURSE_SECRET_KEY"]
        if len(secret_key) < SECRET_KEY_LENGTH or len(set(secret_key)) < SECRET_KEY_DIFFERENT:
            raise ConfigError(
                f"BOURSE_PRODUCTION is on: BOURSE_SECRET_KEY must have {SECRET_KEY_LENGTH} characters or more,"
                f" {SECRET_KEY_DIFFERENT} of them different"
            )
        if "*" in environment["BOURSE_ALLOWED_HOSTS"].replace(" ", "").split(","):
            raise ConfigError("BOURSE_PRODUCTION is on: BOURSE_ALLOWED_HOSTS must name the hosts, not '*'")
        _refuse_sandbox(environment)
        seconds, subdomains, preload = _hsts(environment.get("BOURSE_HSTS", DEFAULT_HSTS))
        return cls(_proxy_header(environment["BOURSE_TLS_PROXY_HEADER"]), seconds, subdomains, preload)


def _refuse_sandbox(environment: Mapping[str, str]) -> None:
    for name in ("BOURSE_DEBUG", "BOURSE_SANDBOX_FAULTS"):
        if parse_switch(environment.get(name, "off"), name=name):
            raise ConfigError(f"BOURSE_PRODUCTION is on: {name} must be off")
    if not parse_switch(environment.get("BOURSE_AUTH", "on"), name="BOURSE_AUTH"):
        raise ConfigError("BOURSE_PRODUCTION is on: BOURSE_AUTH must not be off, or anybody could trade")


def _proxy_header(text: str) -> tuple[str, str]:
    match = _HEADER.fullmatch(text)
    if match is None:
        raise ConfigError(f"BOURSE_TLS_PROXY_HEADER={text!r} is not NAME=VALUE, like X-Forwarded-Proto=https")
    return "HTTP_" + match[1].upper().replace("-", "_"), match[2]


def _hsts(text: str) -> tuple[int, bool, bool]:
    """Return seconds and directives of `31536000; includeSubDomains; preload`."""
    seconds, *directives = [part.strip() for part in text.split(";")]
    unknown = set(directives) - {"includeSubDomains", "preload"}
    if unknown:
        raise ConfigError(f"BOURSE_HSTS={text!r}: {min(unknown)!r} is neither 'includeSubDomains' nor 'preload'")
    return parse_count(seconds, name="BOURSE_HSTS"), "includeSubDomains" in directives, "preload" in directives
