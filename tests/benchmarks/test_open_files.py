import resource

import pytest

from benchmarks.open_files import room_for
from benchmarks.processes import BenchmarkError


def soft() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


@pytest.fixture
def limits():
    """Limits that the process may have: a low soft one below its hard one."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_there_is_room_inside_the_block_alone(limits: int):
    with room_for(1000):
        assert soft() >= 1000
    assert soft() == 512
    with room_for(1):
        assert soft() == 512


def test_a_hard_limit_that_is_too_low_is_told(limits: int):
    with pytest.raises(BenchmarkError, match=rf"the hard limit is {limits}"), room_for(limits):
        pass
    assert soft() == 512
