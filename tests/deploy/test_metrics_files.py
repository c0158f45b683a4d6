"""The page on metrics, the dashboard and the alerts name what there is, and the page all of it."""

import json
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from backends.serving.catalog_metrics import CatalogMetrics
from backends.serving.order_metrics import OrderMetrics
from common.process.config import ClusterConfig
from deploy.settings import ROOT, RunSettings
from protos import catalog_pb2, order_pb2
from trading.api.request_metrics import REGISTRY
from trading.operator.watch_metrics import WatchMetrics

Labels = frozenset[str]
# What Prometheus adds itself.
ADDED = {"job", "instance"}
VARIABLES = re.compile(r"\$__\w+")


def exposed(registry: CollectorRegistry) -> Iterator[tuple[str, Labels]]:
    """Yield name and labels of each metric of ours, counters as `..._total`."""
    for collector in registry._collector_to_names:
        for family in collector.collect():
            if family.name.startswith("bourse_"):
                name = f"{family.name}_total" if family.type == "counter" else family.name
                yield name, frozenset(getattr(collector, "_labelnames", getattr(family, "_labelnames", ())))


@pytest.fixture(scope="module")
def metrics() -> dict[str, Labels]:
    """All metrics of all processes."""
    catalog, order = CatalogMetrics(), OrderMetrics()
    catalog.sample(catalog_pb2.CatalogHealthResponse)
    order.sample(lambda: order_pb2.HealthCheckResponse(followers=[order_pb2.FollowerStatus(replica_id=1)]))
    found = dict(exposed(catalog.registry)) | dict(exposed(order.registry))
    found |= dict(exposed(WatchMetrics(ClusterConfig.from_environment({})).registry))
    import_module("trading.urls")  # with the views comes all that they show
    return found | dict(exposed(REGISTRY))


def documented() -> dict[str, Labels]:
    rows = re.findall(r"^\| (bourse_\w+) \| ([\w, ]*)\|", (ROOT / "docs/METRICS.md").read_text(), re.MULTILINE)
    return {name: frozenset(labels.replace(",", " ").split()) for name, labels in rows}


def dashboard_expressions() -> list[str]:
    dashboard = json.loads((ROOT / "deploy/grafana/bourse.json").read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def series(metrics: dict[str, Labels]) -> dict[str, Labels]:
    """Return the names that an expression may use, with their labels."""
    names = dict(metrics)
    for name, labels in metrics.items():
        names |= {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
    return names


def test_the_page_lists_every_metric_with_its_labels(metrics: dict[str, Labels]):
    # The age of the cache's news has no value before the first read.
    assert documented() == metrics | {"bourse_frontend_watch_age_seconds": frozenset()}


@pytest.mark.parametrize("expression", dashboard_expressions() + [rule["expr"] for rule in alerts()])
def test_expression_names_metrics_and_labels_that_there_are(expression: str):
    known = series(documented())
    bare = re.sub(r'"[^"]*"', "", VARIABLES.sub("", expression))
    used = set(re.findall(r"\bbourse_\w+", bare))
    assert used <= set(known), used - set(known)
    labels = set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)(?!=)", bare))
    for grouping in re.findall(r"by \(([^)]*)\)", bare):
        labels |= {name.strip() for name in grouping.split(",")}
    assert labels <= ADDED.union(*(known[name] for name in used)), expression


def test_every_alert_has_a_severity_a_sentence_and_something_to_do():
    names = [rule["alert"] for rule in alerts()]
    assert sorted(re.findall(r"\bBourse[A-Z]\w+", (ROOT / "docs/METRICS.md").read_text())) == sorted(names)
    for rule in alerts():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"].endswith(".")


def test_prometheus_scrapes_what_make_run_shows():
    jobs = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    found = {target for job in jobs for config in job["static_configs"] for target in config["targets"]}
    settings = RunSettings.from_environment({})
    assert found == {settings.http, *settings.metrics.values()}
    assert all(job["job_name"].startswith("bourse-") for job in jobs)


def test_no_label_can_hold_what_a_client_makes_up(metrics: dict[str, Labels]):
    assert not set().union(*metrics.values()) & {"name", "stock", "key", "account", "path", "client_order_id"}
