"""What the settings promise as a whole."""

import io

from django.conf import settings
from django.core.management import call_command
from django.test import Client

from trading.management.commands.runserver import Command
from trading.operator.loop_notice import LoopNotice


def test_static_files_of_the_browsable_api_are_served_without_a_collecting_step():
    assert not settings.DEBUG
    response = Client().get("/static/trading/page.css")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/css")


def test_system_checks_find_nothing():
    told = io.StringIO()
    call_command("check", stdout=told, stderr=told)
    assert "no issues" in told.getvalue()


def test_runserver_misses_a_health_loop_as_the_production_server_does(monkeypatch):
    started: list[LoopNotice] = []
    monkeypatch.setattr(LoopNotice, "start", lambda notice: started.append(notice))
    command = Command(stdout=io.StringIO())
    command._raw_ipv6, command.addr, command.protocol, command.use_ipv6 = False, "127.0.0.1", "http", False
    command.on_bind("8081")
    assert len(started) == 1


def test_runserver_listens_on_the_port_of_the_production_server():
    assert (Command.default_addr, Command.default_port) == ("127.0.0.1", "8081")
