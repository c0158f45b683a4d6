"""The load client `wrk`, in C, where it is installed: faster than ours, but it checks no answer and keeps none."""

import json
import resource
import shutil
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from typing import Any

from benchmarks.load_client import NO_ANSWER, SILENCE_S, LoadError
from benchmarks.traffic import HOST

# wrk counts as an error what has a status above 399. It tells no single one.
BAD_STATUS = 400
# One line, after wrk's own: times in microseconds.
_REPORT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '{"count": %d, "us": %d, "status": %d, "broken": %d, "p50_us": %.0f, "p99_us": %.0f}\\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class WrkResult:
    """What a run of wrk saw. Times in seconds.

    Attributes:
        count: the expected answers.
        percentiles: those of 0.5 and 0.99, of all answers.
    """

    seconds: float
    count: int
    percentiles: dict[float, float]
    errors: Counter[int]
    client_cpu_s: float

    @property
    def rate(self) -> float:
        """Expected answers a second."""
        return self.count / self.seconds

    def percentile(self, part: float) -> float:
        """Return the latency below which this part, 0.5 or 0.99, of the answers lies."""
        return self.percentiles[part]


def find_wrk() -> str | None:
    """Return the path of the program, None if it is not installed."""
    return shutil.which("wrk")


def run_wrk(program: str, address: str, path: str, *, clients: int, seconds: float, script: str = "") -> WrkResult:
    """Keep `clients` requests under way from one thread, for whole seconds, one at least.

    `script` is Lua that makes other requests than GET of `path`.

    Raises:
        LoadError: the server is not there, or gave not one answer that was expected.
    """
    command = [program, "-t1", f"-c{clients}", f"-d{max(1, round(seconds))}s", f"--timeout={SILENCE_S:.0f}s"]
    command += ["-H", f"Host: {HOST}", "-H", "Accept: application/json"]
    before = _children_cpu_s()
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script + _REPORT)
        file.flush()
        command += ["-s", file.name, f"http://{address}{path}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LoadError(f"wrk, {address}: {done.stdout.strip()} {done.stderr.strip()}")
    result = read_report(done.stdout.splitlines()[-1], _children_cpu_s() - before)
    if not result.count:
        raise LoadError(f"wrk, {address}: not one answer was as expected: {dict(result.errors)}")
    return result


def read_report(line: str, client_cpu_s: float) -> WrkResult:
    """Return what the line of the report says."""
    told: dict[str, Any] = json.loads(line)
    return WrkResult(
        seconds=told["us"] / 1e6,
        count=told["count"] - told["status"],
        percentiles={0.5: told["p50_us"] / 1e6, 0.99: told["p99_us"] / 1e6},
        errors=+Counter({BAD_STATUS: told["status"], NO_ANSWER: told["broken"]}),
        client_cpu_s=client_cpu_s,
    )


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
