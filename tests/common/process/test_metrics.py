"""The port that shows a process's metrics."""

import socket
from urllib.request import urlopen

import pytest
from prometheus_client import Counter
from prometheus_client.metrics_core import GaugeMetricFamily

from common.process.config import ConfigError
from common.process.metrics import METRICS_VARIABLE, Sampled, new_registry, show_metrics


def test_not_shown_unless_an_address_is_given(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(METRICS_VARIABLE, raising=False)
    assert show_metrics(None, new_registry()) is None


def test_shown_at_the_variables_address_with_what_is_sampled_now(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(METRICS_VARIABLE, "127.0.0.1:0")
    registry = new_registry()
    level = [1.0]
    registry.register(Sampled(lambda: [GaugeMetricFamily("bourse_level", "A level", value=level[0])]))
    Counter("bourse_things", "Things", registry=registry).inc(3)
    address = show_metrics(None, registry)
    level[0] = 7.0
    with urlopen(f"http://{address}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    assert "bourse_level 7.0" in lines
    assert "bourse_things_total 3.0" in lines
    assert any(line.startswith("process_resident_memory_bytes ") for line in lines)
    assert not any("_created" in line for line in lines)


def test_port_in_use_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigError, match=f"^--metrics: cannot listen on {address}: Address already in use"):
            show_metrics(address, new_registry())


def test_address_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(METRICS_VARIABLE, "9100")
    with pytest.raises(ConfigError, match=r"^BOURSE_METRICS='9100' is not host:port"):
        show_metrics(None, new_registry())
