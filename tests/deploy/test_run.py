"""What `make run` refuses before it starts anything."""

from pathlib import Path

import pytest

from common.config import ConfigError
from deploy.run import check_seed


def test_malformed_seed_is_refused_with_its_line(tmp_path: Path):
    seed = tmp_path / "seed.csv"
    seed.write_text("name,price,quantity\nGOOD,1.00,5\nBAD,free,5\n")
    with pytest.raises(ConfigError, match=r"^SEED: .*line 3: price 'free'"):
        check_seed(seed)
    seed.write_text("name,price,quantity\nGOOD,1.00,5\n")
    check_seed(seed)
    check_seed(None)
