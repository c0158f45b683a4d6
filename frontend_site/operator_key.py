"""The key with which operators change something while there are no accounts: made once, kept in the data directory."""

from collections.abc import Mapping
from pathlib import Path

from common.process.config import parse_switch
from frontend_site.kept_key import kept_key

FILE_NAME = "operator_key"


def authentication_is_on(environment: Mapping[str, str]) -> bool:
    """Return whether callers have accounts: BOURSE_AUTH, or what BOURSE_PRODUCTION makes of it. Then there is no key.

    Raises:
        ConfigError: a value is no switch.
    """
    production = parse_switch(environment.get("BOURSE_PRODUCTION", "").strip() or "off", name="BOURSE_PRODUCTION")
    default = "on" if production else "off"
    return parse_switch(environment.get("BOURSE_AUTH", "").strip() or default, name="BOURSE_AUTH")


def read_or_make_operator_key(data_dir: Path) -> str:
    """Return the key kept in `data_dir`, made now if there is none or it was damaged.

    Raises:
        ConfigError: the file can be neither read nor made.
    """
    return kept_key(
        data_dir / FILE_NAME, "the operator key", once_replaced="operators need the address with the new one"
    )
