import pytest
from django.core.management import CommandError, call_command, load_command_class


def parse(*arguments):
    command = load_command_class("trading.operator", "replicas")
    command._called_from_command_line = True  # else Django raises instead of ending the process
    return command.create_parser("manage.py", "replicas").parse_args(list(arguments))


def test_the_sub_commands_have_their_defaults():
    assert (parse("status").format, parse("status").watch) == ("table", None)
    assert parse("status", "--watch").watch == 2.0
    assert parse("status", "--watch", "0.5").watch == 0.5
    assert (parse("wait").aim, parse("wait").timeout) == ("in-sync", 60.0)
    assert (parse("events").format, parse("events").limit) == ("table", 20)
    assert (parse("switchover").to, parse("switchover").hold) == (None, 600)
    assert (parse("resync").ids, parse("resync").all) == ([], False)
    assert parse("resync", "2", "1").ids == [2, 1]
    assert parse("resync", "--all").all is True
    assert parse("watch").interval == 10.0


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["destroy"],
        ["status", "--format", "xml"],
        ["resync", "one"],
        ["resync", "--all", "1"],
        ["watch", "--interval", "0"],
        ["watch", "--interval", "soon"],
        ["watch", "--interval", "nan"],
        ["wait", "--for", "ever"],
        ["events", "--limit", "0"],
        ["wait", "--timeout", "-1"],
        ["switchover", "--to", "two"],
        ["switchover", "--hold", "-5"],
        ["switchover", "--hold", "86401"],
    ],
)
def test_a_wrong_use_is_refused_with_code_two(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        parse(*arguments)
    assert end.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["wait", "--timeout", "soon"], "'soon' is not a number of seconds within 0 to 86400"),
        (["switchover", "--hold", "1e9"], "'1e9' is not a whole number of seconds within 0 to 86400"),
        (["resync", "one"], "'one'"),
    ],
)
def test_a_wrong_value_is_named(arguments, named, capsys):
    with pytest.raises(SystemExit):
        parse(*arguments)
    assert named in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["resync", "999"], ["switchover", "--to", "999"]])
def test_an_unknown_replica_is_a_wrong_use_too(arguments):
    with pytest.raises(CommandError, match="replica 999") as error:
        call_command("replicas", *arguments)
    assert error.value.returncode == 2


def test_an_interrupt_ends_with_code_130(monkeypatch):
    def interrupt(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("trading.operator.operating.wait_for", interrupt)
    with pytest.raises(SystemExit) as end:
        call_command("replicas", "wait")
    assert end.value.code == 130
