"""`manage.py tokens`."""

import io

import pytest
from django.core.management import CommandError, call_command
from knox.models import AuthToken

from trading.accounts.verifying import TRUST_S

pytestmark = pytest.mark.django_db


def tokens(*arguments):
    out = io.StringIO()
    call_command("tokens", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_the_token_alone_is_printed_and_only_its_digest_is_kept():
    text = tokens("create", "ann", "--role", "trader", "--days", "7").removesuffix("\n")
    assert text.startswith("bourse_")
    assert len(text) >= 64
    kept = AuthToken.objects.values().get()
    assert text not in str(kept)
    assert (kept["expiry"] - kept["created"]).days in (6, 7)


def test_list_shows_who_has_tokens_but_not_the_tokens():
    secret = tokens("create", "ann", "--role", "trader").strip()
    tokens("create", "op", "--role", "operator")
    lines = tokens("list").splitlines()
    assert [line.split()[:2] for line in lines] == [["ACCOUNT", "ROLE"], ["ann", "trader"], ["op", "operator"]]
    assert secret not in "".join(lines)


def test_revoke_ends_all_tokens_of_an_account_or_one():
    for name in ("ann", "ann", "ann", "bob"):
        tokens("create", name, "--role", "trader")
    key = tokens("list").splitlines()[1].split()[2]
    assert tokens("revoke", "ann", "--key", key) == f"1 revoked; refused everywhere within {TRUST_S:g} s\n"
    assert tokens("revoke", "ann").startswith("2 revoked")
    assert [line.split()[0] for line in tokens("list").splitlines()] == ["ACCOUNT", "bob"]


def test_account_keeps_its_role_when_all_its_tokens_are_gone():
    tokens("create", "ann", "--role", "trader")
    tokens("revoke", "ann")
    with pytest.raises(CommandError, match="has the role 'trader'"):
        tokens("create", "ann", "--role", "operator")


@pytest.mark.parametrize(
    "arguments",
    [
        ["create", "two words", "--role", "trader"],
        ["create", "", "--role", "trader"],
        ["create", "x" * 65, "--role", "trader"],
        ["create", "a,b", "--role", "trader"],
        ["create", "ann"],
        ["create", "ann", "--role", "god"],
        ["create", "ann", "--role", "trader", "--days", "0"],
        ["revoke", "nobody"],
        [],
    ],
)
def test_what_cannot_be_done_is_refused(arguments):
    with pytest.raises(CommandError):
        tokens(*arguments)
    assert not AuthToken.objects.exists()
