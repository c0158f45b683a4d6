"""Whether there is an operator key, and where; its file is as in test_kept_key.py."""

import pytest

from frontend_site.operator_key import authentication_is_on, read_or_make_operator_key


def test_key_is_kept_in_its_file_and_a_damaged_one_is_replaced(tmp_path, capsys):
    key = read_or_make_operator_key(tmp_path)
    path = tmp_path / "operator_key"
    assert path.read_text() == f"{key}\n"
    path.write_text("operator\n")
    assert read_or_make_operator_key(tmp_path) != key
    assert "operator_key held no key: a new one is made, and operators need" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("environment", "is_on"),
    [
        ({}, False),
        ({"BOURSE_AUTH": " "}, False),
        ({"BOURSE_AUTH": "on"}, True),
        ({"BOURSE_PRODUCTION": "on"}, True),
        ({"BOURSE_PRODUCTION": "off", "BOURSE_AUTH": "off"}, False),
    ],
)
def test_accounts_take_the_place_of_the_key(environment, is_on):
    assert authentication_is_on(environment) is is_on
