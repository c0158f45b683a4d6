"""How often something may be done: `100/s`."""

import re
from typing import NamedTuple

from common.process.config import ConfigError

_PERIODS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_RATE = re.compile(r"([1-9][0-9]{0,8})/([smhd])")


class Rate(NamedTuple):
    """At most `most` times in each period of `period_s` seconds."""

    most: int
    period_s: int


def parse_rate(text: str, *, name: str) -> Rate:
    """Return the rate that `100/s` is; s, m, h and d are a second, a minute, an hour and a day.

    Raises:
        ConfigError: it is none.
    """
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise ConfigError(f"{name}={text!r} is not a rate, like 100/s, 6000/m, 10000/h or 100000/d")
    return Rate(int(match[1]), _PERIODS_S[match[2]])
