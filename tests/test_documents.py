"""What documents and deployment files name exists."""

import re
from pathlib import Path

import pytest

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
PROGRAMS = ("common", "backends", "trading", "frontend_site", "deploy", "tests")

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
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^    )make ([a-z]+)", documents, re.MULTILINE))
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
