"""`make bare-machine` runs as root: only in a folder of its own, and with the sources that it is to try."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy/bare_machine.sh"


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Stand-ins for what root alone may do, and for git; each that is started leaves its name in `started`."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("debootstrap", "unshare", "ip", "git"):
        (folder / name).write_text(f'#!/bin/sh\necho {name} >>"{tmp_path}/started"\nexit 1\n')
    (folder / "id").write_text("#!/bin/sh\necho 0\n")
    for path in folder.iterdir():
        path.chmod(0o755)
    return folder


def refused(tools: Path, folder: Path, where: Path) -> str:
    """Run it, which has to refuse before anything is laid or run; return its last line."""
    ended = subprocess.run(
        ["sh", str(SCRIPT), "trixie", str(folder)],
        cwd=where,
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode != 0
    assert not (tools.parent / "started").exists(), ended.stderr
    return ended.stderr.splitlines()[-1]


@pytest.mark.parametrize("way", ["another user's", "a link", "open to others"])
def test_folder_that_others_may_have_laid_is_refused(tools, tmp_path, way):
    folder = tmp_path / "bare"
    folder.mkdir()
    if way == "a link":
        folder = tmp_path / "link"
        folder.symlink_to(tmp_path / "bare")
    elif way == "open to others":
        folder.chmod(0o777)
    elif os.getuid() == 0:
        os.chown(folder, 65534, 65534)
    else:
        folder = Path("/usr")
    assert refused(tools, folder, tmp_path).endswith("name a folder of root's own")


@pytest.mark.parametrize(
    ("git", "said"),
    [
        ("echo 'fatal: detected dubious ownership' >&2; exit 128", "fatal: detected dubious ownership"),
        ("", "no sources came from"),
    ],
    ids=["another user's", "nothing listed"],
)
def test_without_sources_nothing_is_run(tools, tmp_path, git, said):
    """In a repository that is another user's, and in a folder of which git lists nothing."""
    folder = tmp_path / "bare"
    (folder / "trixie/etc").mkdir(parents=True)
    (folder / "trixie/.laid").touch()
    (tools / "git").write_text(f"#!/bin/sh\n{git}\n")
    assert said in refused(tools, folder, tmp_path)
