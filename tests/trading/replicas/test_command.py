import pytest
from django.core.management import CommandError, call_command, load_command_class


def parse(*arguments):
    command = load_command_class("trading.replicas", "replicas")
    command._called_from_command_line = True  # else Django raises instead of ending the process
    return command.create_parser("manage.py", "replicas").parse_args(list(arguments))


def test_the_sub_commands_have_their_defaults():
    assert parse("status").format == "table"
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
    ],
)
def test_a_wrong_use_is_refused_with_code_two(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        parse(*arguments)
    assert end.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_an_unknown_replica_is_a_wrong_use_too():
    with pytest.raises(CommandError, match="replica 999") as error:
        call_command("replicas", "resync", "999")
    assert error.value.returncode == 2
