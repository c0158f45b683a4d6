"""Certificates for tests of TLS, in files, as an operator would have them."""

from collections.abc import Sequence
from pathlib import Path

import trustme

from common.process.tls import TLS_VARIABLES


def write_certificates(
    folder: Path, authority: trustme.CA, names: Sequence[str] = ("127.0.0.1", "localhost")
) -> dict[str, str]:
    """Write an authority, a certificate of it for these names and its key; return the variables that name them."""
    folder.mkdir(parents=True, exist_ok=True)
    issued = authority.issue_cert(*names)
    paths = [folder / name for name in ("ca.pem", "cert.pem", "key.pem")]
    authority.cert_pem.write_to_path(paths[0])
    issued.cert_chain_pems[0].write_to_path(paths[1])
    issued.private_key_pem.write_to_path(paths[2])
    return {name: str(path) for name, path in zip(TLS_VARIABLES, paths, strict=True)}
