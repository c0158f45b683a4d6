import pytest

from common.process.config import ConfigError
from common.process.rates import parse_rate


@pytest.mark.parametrize(
    ("text", "expected"), [("100/s", (100, 1)), ("6000/m", (6000, 60)), (" 1/h ", (1, 3600)), ("5/d", (5, 86_400))]
)
def test_rate_is_read(text, expected):
    assert parse_rate(text, name="R") == expected


@pytest.mark.parametrize("text", ["", "100", "0/s", "-1/s", "1.5/s", "1/y", "1/ s", "٣/s", "1/s/s", "9999999999/s"])
def test_what_is_no_rate_is_refused_by_name(text):
    with pytest.raises(ConfigError, match="R="):
        parse_rate(text, name="R")
