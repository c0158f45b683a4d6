"""Probes ask by address, and some by HTTP/1.0 without a Host: they are answered. Everything else is refused."""

import pytest
from django.test import Client

from trading.api.probes import PROBES

HOSTS = ["10.0.0.9", "10.0.0.9:8081", "[fd00::9]:8081", "elsewhere.test", "not a host", ""]


@pytest.fixture(autouse=True)
def ready(market, monkeypatch):
    """Orders could be placed."""
    monkeypatch.setattr("trading.operator.views.readiness", lambda: Ready())


class Ready:
    def checks(self):
        return []


@pytest.mark.parametrize("path", ["/healthz", "/healthz/", "/readyz", "/readyz/", "/metrics", "/metrics/"])
@pytest.mark.parametrize("host", HOSTS)
def test_probes_are_answered_whatever_the_host(rest, path, host):
    response = rest.get(path, headers={"Host": host})
    assert response.status_code == 200
    assert int(response["Content-Length"]) > 0


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_are_answered_without_a_host(path):
    environment = {"SERVER_NAME": "10.0.0.9", "SERVER_PORT": "8081", "SERVER_PROTOCOL": "HTTP/1.0"}
    assert Client().get(path, **environment).status_code == 200


@pytest.mark.parametrize("host", [host for host in HOSTS if host])
@pytest.mark.parametrize("path", ["/", "/stocks", "/stocks/BlueFinch", "/orders", "/schema", "/healthz/x", "/metricsx"])
def test_nothing_else_is_answered_under_a_foreign_host(rest, path, host):
    response = rest.get(path, headers={"Host": host})
    assert response.status_code == 400
    assert "BOURSE_ALLOWED_HOSTS" in response.json()["error"]["message"]


@pytest.mark.parametrize(("path", "code"), [("/healthz", 200), ("/readyz/", 200), ("/metrics", 200), ("/stocks", 301)])
def test_probes_are_not_sent_to_https(settings, path, code):
    settings.SECURE_SSL_REDIRECT, settings.SECURE_REDIRECT_EXEMPT = True, [PROBES]
    assert Client().get(path).status_code == code
