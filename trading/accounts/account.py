"""An account: a name under which orders are placed or the order service is operated."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

# What a view asks of its caller. The last two are the roles that an account can have; it has exactly one.
OPEN = "open"  # no token is needed, or looked at
ANY = "any"
TRADER = "trader"
OPERATOR = "operator"
ROLES = (TRADER, OPERATOR)


@dataclass(frozen=True)
class Account:
    """Whom a token has been verified to belong to; it is the `user` of a request.

    Attributes:
        name: 1 to 64 characters of `A-Z a-z 0-9 . _ @ + -`; it stands in the rows of the account's orders.
        role: one of ROLES.
        expires_at: when the token ends, in UTC; None: never.
    """

    name: str
    role: str
    expires_at: datetime | None

    @property
    def is_authenticated(self) -> bool:
        """True, as Django asks it of every user who is not anonymous."""
        return True


def account_of(request: Any) -> str | None:
    """Return the name of the account whose orders this request may see and add to; None while authentication is off:
    then there is one key space, and everybody sees every order.

    Only for a request that has come through the permissions of a view with another role than OPEN.
    """
    if not settings.AUTHENTICATION:
        return None
    name: str = request.user.name
    return name
