"""Mutual TLS between the processes: one certificate authority that all of them trust, and a certificate for each.

A server shows its certificate and asks for the caller's: whoever has none that the authority signed gets nowhere. A
caller compares the server's name with the address that it was configured with: docs/SECURITY.md.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import grpc

from common.process.config_error import ConfigError

CA_VARIABLE = "BOURSE_TLS_CA"
CERTIFICATE_VARIABLE = "BOURSE_TLS_CERT"
KEY_VARIABLE = "BOURSE_TLS_KEY"
TLS_VARIABLES = (CA_VARIABLE, CERTIFICATE_VARIABLE, KEY_VARIABLE)

# Turns that each side of a handshake in memory takes at most: two are enough for TLS 1.3, three for 1.2.
_HANDSHAKE_TURNS = 4


@dataclass(frozen=True)
class Tls:
    """What one process shows and trusts, in PEM. Read once: a process has to be started again to use new files.

    Attributes:
        ca: the certificates of the authority.
        certificate: the process's own, with those between it and the authority behind it.
        key: the private key of `certificate`, not encrypted.
    """

    ca: bytes
    certificate: bytes
    key: bytes = field(repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Tls | None":
        """Read the files that BOURSE_TLS_CA, BOURSE_TLS_CERT and BOURSE_TLS_KEY name; None if none of them is set.

        Raises:
            ConfigError: only some are set; a file cannot be read or holds something else; the key is not the
                certificate's; the authority has not signed it for servers and clients, or it is not valid now.
        """
        missing = [name for name in TLS_VARIABLES if not environment.get(name)]
        if len(missing) == len(TLS_VARIABLES):
            return None
        if missing:
            raise ConfigError(f"{' and '.join(missing)} must be set too: TLS needs all of {', '.join(TLS_VARIABLES)}")
        paths = {name: Path(environment[name]) for name in TLS_VARIABLES}
        contents = [_read(name, path) for name, path in paths.items()]
        _check(paths)
        return cls(*contents)

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Return new credentials for a channel. Only in the process that uses them: not before a fork."""
        return grpc.ssl_channel_credentials(self.ca, self.key, self.certificate)

    def server_credentials(self) -> grpc.ServerCredentials:
        """Return new credentials for a server that refuses callers without a certificate of the authority."""
        return grpc.ssl_server_credentials([(self.key, self.certificate)], self.ca, require_client_auth=True)


def _read(name: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{name}={str(path)!r} cannot be read: {error.strerror}") from error


def _check(paths: Mapping[str, Path]) -> None:
    """Raise ConfigError unless a process with these files could call another one with the same files.

    Said here, in words: gRPC would write lines of its own, and the caller would see an unreachable address.
    """
    contexts = [ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)]
    for context in contexts:
        context.check_hostname = False  # the names are compared with the addresses when a call is made
        context.verify_mode = ssl.CERT_REQUIRED
        _load(context, paths)
    try:
        _shake_hands(*contexts)
    except ssl.SSLCertVerificationError as error:
        raise ConfigError(
            f"{CERTIFICATE_VARIABLE}={str(paths[CERTIFICATE_VARIABLE])!r} is not good under the authority of"
            f" {CA_VARIABLE}={str(paths[CA_VARIABLE])!r}: {error.verify_message}"
        ) from error


def _load(context: ssl.SSLContext, paths: Mapping[str, Path]) -> None:
    ca, certificate, key = (paths[name] for name in TLS_VARIABLES)
    try:
        context.load_verify_locations(ca)
    except ssl.SSLError as error:
        raise ConfigError(f"{CA_VARIABLE}={str(ca)!r} holds no certificates in PEM") from error

    def refuse_password() -> NoReturn:
        raise ConfigError(f"{KEY_VARIABLE}={str(key)!r} is encrypted: a process has nobody to ask for the password")

    try:
        context.load_cert_chain(certificate, key, refuse_password)
    except ssl.SSLError as error:
        raise ConfigError(
            f"{CERTIFICATE_VARIABLE}={str(certificate)!r} and {KEY_VARIABLE}={str(key)!r} are not a certificate and"
            f" its private key in PEM: {(error.reason or str(error)).replace('_', ' ').lower()}"
        ) from error


def _shake_hands(client_context: ssl.SSLContext, server_context: ssl.SSLContext) -> None:
    """Let a client and a server meet in memory; what one of them refuses, it raises."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_side=False)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(_HANDSHAKE_TURNS):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
