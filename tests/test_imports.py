"""Who may import whom, and what the core is: the rules stand in pyproject.toml."""

import ast
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from importlinter import cli

ROOT = Path(__file__).parent.parent
RULES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
CORE = RULES["bourse"]["core"]
OURS = RULES["importlinter"]["root_packages"]


def modules(*packages: str) -> dict[str, Path]:
    """Return the files of packages by the names of their modules."""
    found = {}
    for path in (file for package in packages for file in sorted((ROOT / package).rglob("*.py"))):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


ALL = modules("common", "backends", "trading", "protos")


def is_in(module: str, names: Iterable[str]) -> bool:
    """Whether a module is one of these, or in one of them."""
    return any(module == name or module.startswith(f"{name}.") for name in names)


def is_core(module: str) -> bool:
    return is_in(module, CORE["modules"]) and not is_in(module, CORE["apart"])


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield what is imported anywhere in a file: of `from a import b` the module b, if there is one, else a."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in ALL else node.module or "" for name in names)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
            "import_module",
            "__import__",
        ):
            yield from (str(argument.value) for argument in node.args if isinstance(argument, ast.Constant))


def not_for_the_core(source: str) -> list[str]:
    """Return what a file of the core must not import."""
    ours = [name for name in imported(ast.parse(source)) if is_in(name, OURS)]
    return [name for name in ours if not is_core(name) and not is_in(name, CORE["machinery"])]


def test_the_contracts_in_pyproject_hold(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    assert cli.lint_imports(config_filename="pyproject.toml", no_logo=True, no_cache=True) == cli.EXIT_STATUS_SUCCESS


def test_the_core_imports_nothing_of_the_shell():
    wrong = {
        module: shell for module in ALL if is_core(module) and (shell := not_for_the_core(ALL[module].read_text()))
    }
    assert wrong == {}


def test_the_machinery_imports_nothing_of_the_shell():
    machinery = [module for module in ALL if is_in(module, CORE["machinery"]) and "_pb2" not in module]
    wrong = {module: shell for module in machinery if (shell := not_for_the_core(ALL[module].read_text()))}
    assert wrong == {}


def test_the_core_can_be_read_in_an_afternoon():
    lines = {module: len(path.read_text().splitlines()) for module, path in ALL.items() if is_core(module)}
    assert sum(lines.values()) <= CORE["most_lines"], lines


@pytest.mark.parametrize("name", [*CORE["modules"], *CORE["apart"], *CORE["machinery"]])
def test_what_the_rules_name_is_there(name: str):
    assert name in ALL


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("from trading.market import services\nfrom common.process.logs import log\nimport django", []),
        ("from trading import operator", ["trading.operator"]),
        ("from trading.api.errors import ApiError", ["trading.api.errors"]),
        ("def f():\n    from backends.storage.csv.rebuild.sources import S", ["backends.storage.csv.rebuild.sources"]),
        ("importlib.import_module('trading.events.hub')", ["trading.events.hub"]),
        ("from tests.harness import cluster", ["tests.harness"]),
    ],
)
def test_the_check_sees_what_is_of_the_shell(source: str, wrong: list[str]):
    assert not_for_the_core(source) == wrong
