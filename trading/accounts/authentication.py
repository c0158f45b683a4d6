"""How a request says whose it is: with a bearer token, or with the session of somebody who logged in with one."""

from typing import Any

from django.db import DatabaseError
from knox.crypto import hash_token
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed

from trading.accounts.account import Account
from trading.accounts.verifying import AccountsUnavailable, token_verifier

# The session holds the digest of the token, so it ends with the token: when that is revoked, or expires.
SESSION_DIGEST = "token_digest"


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>` (RFC 6750)."""

    def authenticate(self, request: Any) -> tuple[Account, None] | None:
        """Return the account; None if the request brings no token.

        Raises:
            AuthenticationFailed: another scheme, or a token that is unknown, revoked or expired.
            AccountsUnavailable.
        """
        header: str = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise AuthenticationFailed("The header Authorization does not begin with 'Bearer '.")
        account = token_verifier().verify(hash_token(token.strip()))
        if account is None:
            raise AuthenticationFailed("The token is not known here: it was never made, was revoked, or has expired.")
        return account, None

    def authenticate_header(self, request: Any) -> str:
        """Return what a 401 says in WWW-Authenticate."""
        return "Bearer"


class LoginAuthentication(SessionAuthentication):
    """The session of the browsable API. What changes something must bring the CSRF token of its form."""

    def authenticate(self, request: Any) -> tuple[Account, None] | None:
        """Return the account that logged in; None if nobody did, or their token is good no more.

        Raises:
            PermissionDenied: the CSRF token is missing or wrong.
            AccountsUnavailable.
        """
        try:
            digest = request._request.session.get(SESSION_DIGEST)
        except DatabaseError as error:
            raise AccountsUnavailable from error
        account = token_verifier().verify(digest) if digest else None
        if account is None:
            return None
        self.enforce_csrf(request)
        return account, None
