"""Only `protos` and `common` cross between the frontend and the backends."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# For each top-level package: the others of ours that its modules may import.
ALLOWED = {
    "common": {"protos"},
    "protos": set(),
    "backends": {"common", "protos"},
    "trading": {"common", "protos"},
    "frontend_site": {"common", "trading"},
    "examples": set(),  # what they show must be possible from outside
    # What is measured is the real system, so it may be known; the tests are another thing.
    "benchmarks": {"backends", "common", "deploy", "protos", "trading"},
}
OURS = {*ALLOWED, "deploy", "tests"}


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            yield node.module or ""
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
            "import_module",
            "__import__",
        ):
            yield from (str(argument.value) for argument in node.args if isinstance(argument, ast.Constant))


@pytest.mark.parametrize("package", ALLOWED)
def test_package_imports_only_what_it_may(package: str):
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        if not path.name.endswith(("_pb2.py", "_pb2_grpc.py"))
        for name in imported(ast.parse(path.read_text()))
        if name.partition(".")[0] in OURS - ALLOWED[package] - {package}
    ]
    assert not wrong


def test_the_check_sees_an_import_inside_a_function():
    tree = ast.parse(
        "def f():\n    from common.rows import Row\n    importlib.import_module('backends.storage.csv.log')"
    )
    assert list(imported(tree)) == ["common.rows", "backends.storage.csv.log"]
