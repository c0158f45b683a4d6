"""Making, listing and revoking tokens: what `manage.py tokens` does."""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.contrib.auth.models import Group, User
from django.db import transaction
from django.utils import timezone
from knox.models import AuthToken

from common.bounds import ACCOUNT
from trading.accounts.account import ROLES


class TokenRefused(Exception):
    """Something that cannot be done with tokens; the message says why."""


class TokenRow(NamedTuple):
    """What may be shown of a token; `key` is its beginning, enough to tell it from others, too little to use it."""

    account: str
    role: str
    key: str
    created: datetime
    expires: datetime | None


@transaction.atomic
def create_token(name: str, role: str, days: int) -> tuple[str, TokenRow]:
    """Make a token for an account, and the account if it is new; return the token, which is kept nowhere.

    Raises:
        TokenRefused: the name cannot be an account's, or the account has another role.
    """
    if not name or not ACCOUNT.fullmatch(name):
        raise TokenRefused(f"{name!r} is not an account: 1 to 64 characters of A-Z a-z 0-9 . _ @ + -")
    user, is_new = User.objects.get_or_create(username=name)
    if is_new:
        user.set_unusable_password()
        user.save()
        user.groups.add(Group.objects.get_or_create(name=role)[0])
    elif _role(user) != role:
        raise TokenRefused(
            f"account {name!r} has the role {_role(user)!r}; an account has one role: choose another name"
        )
    AuthToken.objects.filter(user=user, expiry__lte=timezone.now()).delete()
    token, text = AuthToken.objects.create(user=user, expiry=timedelta(days=days))
    return text, _row(token)


def list_tokens() -> list[TokenRow]:
    """Return the tokens that have not expired, by account and age."""
    tokens = AuthToken.objects.select_related("user").order_by("user__username", "created")
    now = timezone.now()
    return [_row(token) for token in tokens if token.expiry is None or token.expiry > now]


def revoke_tokens(name: str, key: str | None = None) -> int:
    """Delete the tokens of an account, or the one of them whose key this is; return how many there were.

    The account stays: its name must never pass to somebody else, who would see its orders.

    Raises:
        TokenRefused: there is none.
    """
    tokens = AuthToken.objects.filter(user__username=name)
    if key is not None:
        tokens = tokens.filter(token_key=key)
    count: int = tokens.count()
    if not count:
        raise TokenRefused(f"account {name!r} has no token" + (f" with key {key!r}" if key else ""))
    tokens.delete()
    return count


def _role(user: User) -> str:
    role: str | None = user.groups.filter(name__in=ROLES).values_list("name", flat=True).first()
    return role or "none"


def _row(token: AuthToken) -> TokenRow:
    return TokenRow(token.user.get_username(), _role(token.user), token.token_key, token.created, token.expiry)
