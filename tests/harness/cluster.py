"""The whole system as real processes, with clients of its frontends."""

from functools import cached_property
from pathlib import Path

from deploy.systems.direct import DirectSystem
from tests.harness.rest import Rest
from tests.harness.seeds import read_seed


class Cluster(DirectSystem):
    """A system to be tested."""

    @cached_property
    def initial(self) -> dict[str, int]:
        """The quantity of each stock that the catalog was seeded with."""
        return read_seed(self.seed)

    @cached_property
    def rests(self) -> dict[str, Rest]:
        """A client of each frontend by its name."""
        return {name: Rest(address) for name, address in self.frontends.items()}

    @property
    def rest(self) -> Rest:
        """The client of the first frontend."""
        return self.rests["frontend"]

    @property
    def operator_key(self) -> str:
        """What makes an operator of a client, without authentication; once a frontend was started."""
        return (self.data_dir / "operator_key").read_text().strip()

    @property
    def operator_page(self) -> str:
        """The address of the page that makes an operator of its browser."""
        return f"http://{self.rest.address}/?token={self.operator_key}"

    def log_in(self, account: str, role: str) -> dict[str, str]:
        """Make a token, send it with every request of `rest` from now on, and return the header that holds it.

        With BOURSE_AUTH=on in `environment`; before the start, after `manage("migrate")`.
        """
        token = self.manage("tokens", "create", account, "--role", role).strip()
        self.rest.close()
        self.rest.headers = {"Authorization": f"Bearer {token}"}
        return self.rest.headers

    def manage(self, *arguments: str) -> str:
        """Run a command of manage.py and return what it wrote to stdout.

        Raises:
            AssertionError: it failed; the message has what it wrote to stderr.
        """
        done = self.run("manage.py", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def close(self) -> None:
        for rest in self.rests.values():
            rest.close()
        super().close()

    def order_database(self, replica_id: int) -> Path:
        """Return the path of a replica's log."""
        return self.data_dir / f"order-{replica_id}" / "order_database.csv"

    @property
    def journal(self) -> Path:
        """The path of the catalog's journal."""
        return self.data_dir / "catalog" / "catalog_journal.csv"
