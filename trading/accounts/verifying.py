"""Whether a token is good: asked of Django's database, and remembered for a few seconds."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from math import inf

from django.db import DatabaseError
from knox.models import AuthToken
from rest_framework.exceptions import APIException

from trading.accounts.account import ROLES, Account
from trading.process import OncePerProcess

# A token that was revoked is refused at the latest after this time, in every frontend process.
TRUST_S = 5.0
MOST_REMEMBERED = 10_000


class AccountsUnavailable(APIException):
    """Django's database does not answer, so nobody can say whose token it is."""

    status_code = 503
    default_detail = "The database of the accounts does not answer."


class TokenVerifier:
    """Turns digests of tokens into accounts. Any number of threads may use it.

    `look_up` returns the account of a digest as it is now, or None. That there is none is remembered too, apart: what
    is made up never pushes out what is good.
    """

    def __init__(
        self,
        look_up: Callable[[str], Account | None],
        monotonic: Callable[[], float] = time.monotonic,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._look_up = look_up
        self._monotonic = monotonic
        self._utc_now = utc_now
        # Until when it is trusted; entries are replaced as a whole.
        self._known: dict[str, tuple[Account | None, float]] = {}
        self._unknown: dict[str, tuple[Account | None, float]] = {}

    def recall(self, digest: str) -> tuple[bool, Account | None]:
        """Return whether `verify` would answer without asking the database, and what."""
        account, trusted_until = self._remembered(digest)
        return self._monotonic() < trusted_until, self._unless_expired(account)

    def verify(self, digest: str) -> Account | None:
        """Return whose token has this digest; None if nobody's, or if it has expired.

        Raises:
            AccountsUnavailable.
        """
        now = self._monotonic()
        account, trusted_until = self._remembered(digest)
        if now >= trusted_until:
            account = self._look_up(digest)
            self._remember(digest, account, now + TRUST_S)
        return self._unless_expired(account)

    def _unless_expired(self, account: Account | None) -> Account | None:
        if account is not None and account.expires_at is not None and self._utc_now() >= account.expires_at:
            return None
        return account

    def _remembered(self, digest: str) -> tuple[Account | None, float]:
        return self._known.get(digest) or self._unknown.get(digest) or (None, -inf)

    def _remember(self, digest: str, account: Account | None, until: float) -> None:
        """Remember it, counted from before the look-up: what was revoked during it is not trusted for longer."""
        remembered = self._unknown if account is None else self._known
        if account is None:
            self._known.pop(digest, None)
        if len(remembered) >= MOST_REMEMBERED:
            remembered.clear()
        remembered[digest] = (account, until)


def look_up_account(digest: str) -> Account | None:
    """Return the account of a token as the database has it now; None if there is none, or it has lost its role.

    Raises:
        AccountsUnavailable.
    """
    try:
        token = AuthToken.objects.select_related("user").filter(digest=digest).first()
        if token is None or not token.user.is_active:
            return None
        role = token.user.groups.filter(name__in=ROLES).values_list("name", flat=True).first()
    except DatabaseError as error:
        raise AccountsUnavailable from error
    return Account(token.user.get_username(), role, token.expiry) if role else None


token_verifier = OncePerProcess(lambda: TokenVerifier(look_up_account))
