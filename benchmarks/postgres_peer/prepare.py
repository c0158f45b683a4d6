"""`python -m benchmarks.postgres_peer.prepare`: makes the peer's tables and its stocks."""

from django.core.management import call_command

from benchmarks.postgres_peer import site as site  # settings first: it configures Django
from benchmarks.postgres_peer.models import Stock
from benchmarks.traffic import INITIAL_QUANTITY, STOCKS

if __name__ == "__main__":
    call_command("migrate", run_syncdb=True, verbosity=0)
    Stock.objects.bulk_create(Stock(name=name, price_cents=12_345, quantity=INITIAL_QUANTITY) for name in STOCKS)
