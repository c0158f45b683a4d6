"""What readers of a held ledger see between the journal's sync and the stocks, and before there is anything."""

import errno

import pytest

from backends.storage.values import KeyFound
from common.calls.failures import RpcFailure
from tests.backends.catalog.desk import Desk
from tests.backends.storage.csv.log_files import FaultyFiles


def test_row_is_shown_together_with_what_it_does_to_its_stock(desk, monkeypatch):
    """The journal holds it already; a reader of both would see an order whose shares are not taken yet."""
    desk.begin()
    desk.send(desk.buy("ACME", 1))
    ledger, seen = desk.ledger, []
    apply = ledger._stocks.apply

    def look_first(levels, position):
        page = ledger.trades_after(0, 1 << 20)
        seen.append((page.rows.count(b"\n"), page.last_number, ledger.stock("ACME").quantity))
        seen.append(ledger.trades_after(1, 1 << 20).rows)
        apply(levels, position)

    monkeypatch.setattr(ledger._stocks, "apply", look_first)
    desk.send(desk.buy("ACME", 1))
    assert seen == [(1, 1, 99), b""]
    assert ledger.trades_after(1, 1 << 20).last_number == 2


def test_rows_are_given_behind_a_number_up_to_a_bound_and_not_above_the_last(desk):
    desk.begin()
    rows = [desk.send(desk.buy("ACME", 1))[0].row for _ in range(3)]
    ledger = desk.ledger
    assert ledger.trades_after(0, 1 << 20).rows == b"".join(rows)
    assert ledger.trades_after(1, 1 << 20, 1).rows == rows[1]
    assert ledger.trades_after(3, 1 << 20).rows == b""
    above = ledger.trades_after(4, 1 << 20)
    assert (above.after_chain, above.rows, above.last_number) == (None, b"", 3)


def test_key_that_is_unknown_was_looked_for_up_to_the_last_trade_and_no_further(desk):
    assert desk.ledger.find_key(b",k") == KeyFound(0, 1, 0)
    desk.begin()
    desk.send(desk.buy("ACME", 1, idempotency_key="k"))
    assert desk.ledger.find_key(b",k") == KeyFound(1, 1, 1)
    assert desk.ledger.find_key(b",other") == KeyFound(0, 1, 1)


def test_trades_on_a_full_disk_are_refused_and_the_stocks_stay(tmp_path):
    files = FaultyFiles()
    desk = Desk(tmp_path, files=files)
    desk.begin()
    files.faults["pwrite", "catalog_journal.csv"] = errno.ENOSPC
    (refused,) = desk.send(desk.buy("ACME", 1))
    assert refused.refusal.reason == "DISK_FULL"
    assert (desk.quantity("ACME"), desk.position[0]) == (100, 0)
    (made,) = desk.send(desk.buy("ACME", 1))
    assert made.row
    desk.stop()
    with pytest.raises(RpcFailure, match=r"UNAVAILABLE SHUTTING_DOWN: the catalog is stopping$"):
        desk.ledger.stock("ACME")


def test_first_damage_of_the_journal_stays_and_names_the_repair(desk):
    for damage in ("row 2 is bad", "row 3 is bad"):
        desk.ledger._journal.on_damage(damage)
    halted = "row 2 is bad; to repair, stop all processes and run: python -m backends.catalog.rebuild"
    assert desk.health().halted == halted
    with pytest.raises(RpcFailure) as caught:
        desk.ledger.stock("ACME")
    assert str(caught.value) == f"DATA_LOSS HALTED: {halted}"
