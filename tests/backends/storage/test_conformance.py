"""Every engine keeps the promises of backends/storage/ports.py."""

from pathlib import Path

import pytest

from tests.backends.storage import stocks_contract
from tests.backends.storage.broken_twins import TWINS
from tests.backends.storage.engines import ENGINES
from tests.backends.storage.ledger_contract import LEDGER_CONTRACT
from tests.backends.storage.log_contract import LOG_CONTRACT
from tests.backends.storage.stocks_contract import STOCKS_CONTRACT

PROMISES = {promise.__name__: promise for promise in (*LOG_CONTRACT, *LEDGER_CONTRACT, *STOCKS_CONTRACT)}


@pytest.mark.parametrize("promise", PROMISES.values(), ids=PROMISES)
@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.__name__)
def test_engine_keeps_its_promise(engine, promise, tmp_path: Path):
    promise(engine(tmp_path))


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.__name__)
def test_broken_twin_is_found(twin, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(stocks_contract, "WOKEN_WITHIN_S", 0.5)
    engine = twin(monkeypatch)
    broken = [name for name, promise in PROMISES.items() if not keeps(promise, engine(tmp_path / name))]
    assert broken, f"no promise is broken by an engine that {twin.__name__}"
    # The mistake is found for what it is, and not because nothing works.
    assert len(broken) <= len(PROMISES) // 2, broken


def keeps(promise, engine) -> bool:
    try:
        promise(engine)
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - whatever goes wrong, the promise is not kept
        return False
    return True
