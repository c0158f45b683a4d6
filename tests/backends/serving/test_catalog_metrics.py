from backends.serving.catalog_metrics import CatalogMetrics
from tests.backends.catalog.desk import Desk


def test_a_batch_is_counted_by_what_became_of_its_trades(tmp_path):
    metrics = CatalogMetrics()
    desk = Desk(tmp_path / "catalog", on_batch=metrics.note_batch)
    metrics.sample(desk.health)
    desk.begin()
    first = desk.buy("ACME", 1)
    desk.send(first, desk.buy("ACME", 2), desk.buy("ACME", 1000), desk.buy("NOPE", 1))
    desk.send(first)

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"bourse_catalog_{name}", labels)

    assert value("trades_total") == 2
    assert value("repeats_total") == 1
    assert value("refusals_total", reason="INSUFFICIENT_STOCK") == 1
    assert value("refusals_total", reason="UNKNOWN_STOCK") == 1
    assert (value("batch_trades_count"), value("batch_trades_sum")) == (2, 5)
    assert (value("last_number"), value("epoch"), value("leader_id"), value("halted")) == (2, 1, 3, 0)
    assert value("findings") == 0
    desk.directory.findings.note("row 8 was damaged")
    assert value("findings") == 1
