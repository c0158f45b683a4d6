import pytest

from tests.backends.catalog.desk import Desk


@pytest.fixture
def desk(tmp_path):
    """A new catalog with three stocks; no epoch has begun."""
    return Desk(tmp_path / "catalog")
