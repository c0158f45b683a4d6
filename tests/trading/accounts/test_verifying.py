from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError
from knox.models import AuthToken

from trading.accounts.account import Account
from trading.accounts.verifying import MOST_REMEMBERED, TRUST_S, AccountsUnavailable, TokenVerifier, look_up_account

NOW = datetime(2031, 4, 9, tzinfo=UTC)


class Database:
    """Accounts by digest; counts what it is asked. Its clock is the verifier's."""

    def __init__(self):
        self.accounts = {"d1": Account("ann", "trader", NOW + timedelta(seconds=60))}
        self.asked = 0
        self.now_s = 100.0

    def look_up(self, digest):
        self.asked += 1
        return self.accounts.get(digest)

    def verifier(self):
        return TokenVerifier(self.look_up, lambda: self.now_s, lambda: NOW + timedelta(seconds=self.now_s - 100))


@pytest.fixture
def database():
    return Database()


def test_good_token_is_looked_up_once_in_a_while(database):
    verifier = database.verifier()
    for _ in range(10):
        assert verifier.verify("d1").name == "ann"
    assert database.asked == 1
    database.now_s += TRUST_S
    verifier.verify("d1")
    assert database.asked == 2


def test_revocation_is_honoured_within_the_stated_time(database):
    verifier = database.verifier()
    verifier.verify("d1")
    database.accounts.clear()
    database.now_s += TRUST_S - 0.001
    assert verifier.verify("d1") is not None
    database.now_s += 0.001
    assert verifier.verify("d1") is None


def test_trust_is_counted_from_before_the_look_up(database):
    verifier = database.verifier()
    look_up = database.look_up

    def slow(digest):
        account = look_up(digest)
        database.accounts.clear()  # revoked while the answer is on its way
        database.now_s += 3
        return account

    verifier._look_up = slow
    assert verifier.verify("d1") is not None
    database.now_s += TRUST_S - 3
    assert verifier.verify("d1") is None


def test_token_ends_at_its_time_although_it_is_trusted(database):
    verifier = database.verifier()
    database.now_s += 58
    assert verifier.verify("d1") is not None
    database.now_s += 2
    assert verifier.verify("d1") is None
    assert database.asked == 1


def test_unknown_token_is_looked_up_once_in_a_while_too(database):
    verifier = database.verifier()
    for _ in range(10):
        assert verifier.verify("d2") is None
    assert database.asked == 1
    database.accounts["d2"] = Account("bob", "trader", None)
    database.now_s += TRUST_S - 0.001
    assert (verifier.verify("d2"), verifier.recall("d2")[0]) == (None, True)
    database.now_s += 0.001
    assert not verifier.recall("d2")[0]
    assert verifier.verify("d2").name == "bob"


def test_made_up_tokens_push_out_none_that_is_good_and_cost_little_memory(database):
    verifier = database.verifier()
    verifier.verify("d1")
    for number in range(2 * MOST_REMEMBERED):
        assert verifier.verify(f"made up {number}") is None
    assert verifier.recall("d1")[0]
    assert len(verifier._unknown) <= MOST_REMEMBERED


def test_memory_is_bounded(database):
    verifier = TokenVerifier(lambda digest: Account(digest, "trader", None))
    for number in range(MOST_REMEMBERED + 10):
        verifier.verify(str(number))
    assert len(verifier._known) <= MOST_REMEMBERED


def test_database_that_fails_is_told_from_an_unknown_token(monkeypatch):
    def fail(*_):
        raise OperationalError("locked")

    monkeypatch.setattr(AuthToken.objects, "select_related", fail)
    with pytest.raises(AccountsUnavailable):
        look_up_account("d1")
