from benchmarks.accounts import OFF, ON, SETTINGS, LookUps, certificates
from benchmarks.load_client import LoadResult
from common.process.rates import parse_rate
from common.process.tls import Tls


def test_the_settings_differ_in_accounts_and_in_limits_that_are_never_reached():
    assert SETTINGS[OFF] == {}
    assert SETTINGS[ON]["BOURSE_AUTH"] == "on"
    limits = [parse_rate(text, name=name) for name, text in SETTINGS[ON].items() if "RATE" in name]
    assert len(limits) == 2
    assert min(limit.most / limit.period_s for limit in limits) > 10**6


def test_cpu_time_is_that_of_one_look_up():
    assert LookUps(LoadResult(1.0, [0.001] * 1000), 0.2).cpu_us == 200


def test_certificates_are_ready_for_use(tmp_path):
    assert Tls.from_environment(certificates(tmp_path / "certificates")) is not None
