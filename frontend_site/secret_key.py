"""The secret key of a site whose operator gave none: made once, kept private in the data directory."""

import re
from pathlib import Path

from frontend_site.kept_key import kept_key

FILE_NAME = "secret_key"
LEAST_LENGTH = 16

_OLDER = re.compile(rb"[A-Za-z0-9_-]{64}\n")


def read_or_make_secret_key(data_dir: Path) -> str:
    """Return the key kept in `data_dir`, made now if there is none or it was damaged.

    Raises:
        ConfigError: the file can be neither read nor made.
    """
    return kept_key(
        data_dir / FILE_NAME,
        "the secret key (BOURSE_SECRET_KEY is not set)",
        once_replaced="who has logged in must do so again",
        older=_OLDER,
    )
