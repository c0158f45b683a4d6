"""Who calls, and how often: for plain requests, what the views' authentication, permissions and throttles decide.

Only who may is told here. Everybody else is left to the view, which knows how to say what is missing.
"""

import asyncio
from typing import NamedTuple

from django.conf import settings
from knox.crypto import hash_token

from trading.accounts.account import ANY, Account
from trading.accounts.verifying import token_verifier
from trading.api.throttling import CLASSES, COUNTED, caller_name, limiters
from trading.edge.request import EdgeRequest


class Caller(NamedTuple):
    """Who may go on. `account`: whose orders it sees, None while authentication is off."""

    account: str | None


async def admit(request: EdgeRequest, role: str) -> Caller | None:
    """Return the caller, counted against its limit; None: the view must refuse it, or look closer.

    Raises:
        AccountsUnavailable.
    """
    account: Account | None = None
    if settings.AUTHENTICATION:
        account = await _account(request)
        if account is None or role not in (ANY, account.role):
            return None
    limiter = limiters().get(CLASSES[role])
    if limiter is not None:
        decision = limiter.take(caller_name(account, request.scope["client"][0]))
        # Counted once, whoever answers.
        request.meta[COUNTED] = decision
        if not decision.is_allowed:
            return None
    return Caller(account.name if account is not None else None)


async def _account(request: EdgeRequest) -> Account | None:
    scheme, _, token = request.headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"bearer":
        return None
    digest = hash_token(token.strip().decode("latin-1"))
    verifier = token_verifier()
    is_known, account = verifier.recall(digest)
    if is_known:
        return account
    # The database is asked in a thread.
    return await asyncio.get_running_loop().run_in_executor(None, verifier.verify, digest)
