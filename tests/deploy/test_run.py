"""What `make run` refuses before it starts anything."""

from pathlib import Path

import pytest

from common.process.config import ConfigError
from common.process.finish import run_program
from deploy import run
from deploy.run import check_seed, welcome
from deploy.settings import RunSettings


def test_malformed_seed_is_refused_with_its_line(tmp_path: Path):
    seed = tmp_path / "seed.csv"
    seed.write_text("name,price,quantity\nGOOD,1.00,5\nBAD,free,5\n")
    with pytest.raises(ConfigError, match=r"^SEED: .*line 3: price 'free'"):
        check_seed(seed)
    seed.write_text("name,price,quantity\nGOOD,1.00,5\n")
    check_seed(seed)
    check_seed(None)


def test_interrupt_before_anything_was_started_leaves_without_a_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupted(_settings: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setenv("BOURSE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(RunSettings, "check_addresses", lambda _settings: None)
    monkeypatch.setattr(run, "run", interrupted)
    monkeypatch.setattr("sys.argv", ["run"])
    with pytest.raises(SystemExit) as end:
        run_program("bourse", run.main)
    assert end.value.code == 130


@pytest.mark.parametrize(("key", "page"), [("k" * 51, f"/?token={'k' * 51} "), (None, "/ ")])
def test_welcome_names_the_page_with_the_operator_key_if_there_is_one(key: str | None, page: str):
    settings = RunSettings.from_environment({"PORT": "9081"})
    assert f"Bourse is open:  http://127.0.0.1:9081{page}" in welcome(settings, key)
