"""`manage.py tokens`: the bearer tokens of the REST interface."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trading.accounts.account import ROLES
from trading.accounts.tokens import TokenRefused, TokenRow, create_token, list_tokens, revoke_tokens
from trading.accounts.verifying import TRUST_S

DEFAULT_DAYS = 90


class Command(BaseCommand):
    """Exit codes: 0 ok, 1 refused, 2 usage."""

    help = "Make, list and revoke the bearer tokens of accounts."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the sub-commands; one is required."""
        commands = parser.add_subparsers(dest="command", required=True, metavar="create | list | revoke")
        create = commands.add_parser("create", help="make a token, and its account if that is new; prints it alone")
        create.add_argument("name", metavar="NAME", help="the account")
        create.add_argument("--role", required=True, choices=ROLES)
        create.add_argument("--days", type=_days, default=DEFAULT_DAYS, help=f"how long it is good ({DEFAULT_DAYS})")
        commands.add_parser("list", help="one row a token that has not expired")
        revoke = commands.add_parser(
            "revoke", help=f"end all tokens of an account within {TRUST_S:g} s, or one of them"
        )
        revoke.add_argument("name", metavar="NAME")
        revoke.add_argument("--key", help="only the token that begins so, as `list` shows it")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run a sub-command."""
        try:
            getattr(self, f"_{options['command']}")(options)
        except TokenRefused as refusal:
            raise CommandError(str(refusal)) from refusal

    def _create(self, options: dict[str, Any]) -> None:
        text, row = create_token(options["name"], options["role"], options["days"])
        self.stderr.write(f"account {row.account}, role {row.role}, until {row.expires:%Y-%m-%d %H:%M}Z;")
        self.stderr.write("the token is shown this once and kept nowhere:")
        self.stdout.write(text)

    def _list(self, _options: dict[str, Any]) -> None:
        self.stdout.write(f"{'ACCOUNT':24} {'ROLE':10}{'KEY':17}{'CREATED':18}EXPIRES")
        for row in list_tokens():
            self.stdout.write(_line(row))

    def _revoke(self, options: dict[str, Any]) -> None:
        count = revoke_tokens(options["name"], options["key"])
        self.stdout.write(f"{count} revoked; refused everywhere within {TRUST_S:g} s")


def _line(row: TokenRow) -> str:
    expires = f"{row.expires:%Y-%m-%d %H:%MZ}" if row.expires else "never"
    return f"{row.account:24} {row.role:10}{row.key:17}{f'{row.created:%Y-%m-%d %H:%MZ}':18}{expires}"


def _days(text: str) -> int:
    days = int(text)
    if not 1 <= days <= 3650:
        raise ValueError(text)
    return days
