"""What documents and deployment files name exists."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.test_imports import is_core

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    path
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "deploy/**/*.y*ml",
        "deploy/systemd/**/*",
        "deploy/docker/*",
        "examples/**/*.py",
    )
    for path in sorted(ROOT.glob(pattern))
    if path.is_file()
]
ARCHITECTURE = ROOT / "docs/ARCHITECTURE.md"
PRODUCT = ("common", "backends", "trading", "frontend_site", "deploy")
PROGRAMS = (*PRODUCT, "tests")

# Documents that are read like a book: their tables are short and their lines fit a window. The others hold figures and
# copied output.
READABLE = [
    *(ROOT / "docs" / f"{name}.md" for name in ("API", "ARCHITECTURE", "METRICS", "OPERATIONS", "PERFORMANCE")),
    *(ROOT / "docs" / f"{name}.md" for name in ("PROTOCOL", "SECURITY", "WORKLOAD")),
    *sorted((ROOT / "docs/decisions").glob("*.md")),
]
MOST_COLUMNS = 200
MOST_CELL = 120
COPIED_OUTPUT = re.compile(" {4}[^ -]")


def text_of(paths) -> str:
    return "\n".join(path.read_text() for path in paths)


@pytest.fixture(scope="module")
def documents() -> str:
    return text_of(DOCUMENTS)


def test_every_variable_is_read_by_some_program(documents: str):
    read = set(
        re.findall(r"[\"'](BOURSE_[A-Z_]+)[\"']", text_of(p for d in PROGRAMS for p in (ROOT / d).rglob("*.py")))
    )
    rates = {f"BOURSE_RATE_{kind}" for kind in ("READ", "TRADE", "OPERATE")}  # their names are put together
    assert set(re.findall(r"BOURSE_[A-Z_]*[A-Z]", documents)) - read - rates == set()


def test_every_target_is_in_the_makefile(documents: str):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^    )make ([a-z-]*[a-z])", documents, re.MULTILINE))
    assert len(named) > 10
    assert named - targets == set()


def test_every_link_between_the_documents_leads_somewhere():
    broken = [
        (path.name, target)
        for path in DOCUMENTS
        if path.suffix == ".md"
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text())
        if not (path.parent / target).exists()
    ]
    assert broken == []


def test_every_file_of_code_that_a_document_names_exists():
    missing = [
        (path.name, named)
        for path in DOCUMENTS
        if path.suffix == ".md"
        for named in re.findall(r"`((?:[\w-]+/)+[\w-]+\.(?:py|proto))`", path.read_text())
        if not (ROOT / named).is_file()
    ]
    assert missing == []


def test_everything_that_the_design_names_in_a_file_is_there():
    """A cell is `file`: `name`, `Class.method`: each part of a name is defined in that file."""
    cells = re.findall(r"\| `([\w/-]+\.(?:py|proto))`: (`[^|]+`) \|", (ROOT / "docs/DESIGN.md").read_text())
    assert len(cells) > 30
    missing = [
        (file, part)
        for file, names in cells
        for name in re.findall(r"`([\w.]+)`", names)
        for part in name.split(".")
        if not re.search(rf"\b(class|def|rpc|message) {part}\b", (ROOT / file).read_text())
    ]
    assert missing == []


@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.stem)
def test_lines_are_short_and_no_cell_is_a_paragraph(path: Path):
    lines = enumerate(path.read_text().splitlines(), 1)
    assert [
        (number, part[:60])
        for number, line in lines
        for part in (line, *table_cells(line))
        if len(part) > (MOST_COLUMNS if part is line else MOST_CELL) and not COPIED_OUTPUT.match(line)
    ] == []


def table_cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] if line.startswith("|") else []


def test_long_lines_and_cells_are_seen(tmp_path: Path):
    long = tmp_path / "long.md"
    for line in ("a" * 201, f"| a | {'b' * 121} |"):
        long.write_text(line)
        with pytest.raises(AssertionError):
            test_lines_are_short_and_no_cell_is_a_paragraph(long)
    long.write_text("\n".join(["    " + "a" * 201, f"| a | {'b' * 120} |"]))
    test_lines_are_short_and_no_cell_is_a_paragraph(long)


def product_files() -> list[str]:
    """Return the files that people write, of all programs."""
    return sorted(
        str(path.relative_to(ROOT))
        for folder in PRODUCT
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "__init__.py"
    )


def file_entries(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield path, heading and line of the list of files: entries `name` under headings `folder/`."""
    folder = title = ""
    for line in text.partition("## Every file")[2].splitlines():
        if heading := re.match(r"### `(.+/)`", line):
            folder, title = heading[1], line
        elif entry := re.match(r"- `(.+?)`: \S", line):
            yield folder + entry[1], title, line


def listed_files(text: str) -> list[str]:
    """Return the paths in the list of files."""
    return sorted(path for path, _, _ in file_entries(text))


@cache
def names_in(path: str) -> set[str]:
    """Return what a module defines: functions, classes, constants, and `Class.member` for what is in its classes."""

    def names(body: list[ast.stmt], prefix: str) -> set[str]:
        found = set()
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(prefix + node.name)
            if isinstance(node, ast.ClassDef):
                found |= names(node.body, f"{node.name}.")
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            found |= {prefix + target.id for target in targets if isinstance(target, ast.Name)}
        return found

    return names(ast.parse((ROOT / path).read_text()).body, "")


def test_every_product_file_is_named_once():
    listed, files = listed_files(ARCHITECTURE.read_text()), product_files()
    assert len(files) > 150
    to_add = [f"- `{Path(path).name}`: in {path}" for path in files if path not in listed]
    to_drop = [path for path in set(listed) if path not in files or listed.count(path) > 1]
    assert (to_add, to_drop) == ([], []), "in docs/ARCHITECTURE.md, Every file"


def test_the_list_of_files_says_of_each_whether_it_is_core():
    wrong = [
        path
        for path, title, line in file_entries(ARCHITECTURE.read_text())
        if is_core(path.removesuffix(".py").replace("/", "."))
        != ((title.endswith("(core)") and "(apart)" not in line) or "(of the core)" in line)
    ]
    assert wrong == []


def test_every_path_and_function_of_the_walks_exists():
    text = ARCHITECTURE.read_text()
    quoted = set(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)))
    paths = {one for one in quoted if re.fullmatch(r"[a-z_]+/[\w./-]*", one)}
    places = {match.groups() for one in quoted if (match := re.fullmatch(r"([\w/]+\.py): ([\w.]+)", one))}
    assert len(paths) > 30
    assert len(places) > 50
    assert [one for one in paths if not (ROOT / one).exists()] == []
    assert [(path, name) for path, name in places if not (ROOT / path).exists() or name not in names_in(path)] == []
    members = {name for path in product_files() for name in names_in(path) if "." in name}
    assert {one for one in quoted if re.fullmatch(r"[A-Z]\w+\.\w+", one)} - members == set()


def test_the_planted_bugs_that_guard_the_core_exist():
    named = re.findall(r"^\| `.+` \| .+ \| `(\w+)` \|$", ARCHITECTURE.read_text(), re.MULTILINE)
    planted = {name for path in (ROOT / "tests/simulation/planted").glob("*.py") for name in names_in(str(path))}
    assert len(named) > 10
    assert set(named) - planted == set()
