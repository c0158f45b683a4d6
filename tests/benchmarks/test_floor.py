"""The shortest real run: the floor's five processes under load, checked as in `make bench`."""

from pathlib import Path

from benchmarks.floor.system import Floor
from benchmarks.orders import run_orders
from benchmarks.results import Results
from benchmarks.traffic import HOT


def test_orders_at_the_floor(tmp_path: Path):
    results = Results()
    with Floor(tmp_path / "floor") as floor:
        run = run_orders(floor, 4, 0.3, HOT, results)
        assert floor.faults([b"never acknowledged"]) != []
    assert results.failures == []
    assert run.load.latencies
    assert run.cpu_s.keys() == {"catalog", "leader", "follower-1", "follower-2", "frontend"}
