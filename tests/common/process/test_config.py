from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from common.process.config import ClusterConfig, ConfigError, parse_address, parse_count, parse_replicas


def test_empty_environment_is_a_cluster_on_loopback():
    config = ClusterConfig.from_environment({})
    assert config.catalog == "127.0.0.1:50052"
    assert config.replicas == {1: "127.0.0.1:50054", 2: "127.0.0.1:50055", 3: "127.0.0.1:50056"}
    assert config.data_dir == Path("var")
    assert config.min_in_sync == 1


def test_every_variable_is_read():
    config = ClusterConfig.from_environment(
        {
            "BOURSE_CATALOG": "catalog.example:1",
            "BOURSE_REPLICAS": " 7=[::1]:700 , 2=b:2",
            "BOURSE_DATA_DIR": "/srv/bourse",
            "BOURSE_MIN_IN_SYNC": "2",
            "BOURSE_ALLOW_PLAINTEXT": "yes",
        }
    )
    assert config == ClusterConfig(
        "catalog.example:1", {7: "[::1]:700", 2: "b:2"}, Path("/srv/bourse"), 2, allow_plaintext=True
    )


def test_variable_that_is_set_but_empty_means_its_default():
    names = ("BOURSE_CATALOG", "BOURSE_REPLICAS", "BOURSE_DATA_DIR", "BOURSE_MIN_IN_SYNC")
    assert ClusterConfig.from_environment(dict.fromkeys(names, "")) == ClusterConfig.from_environment({})


def test_configuration_is_frozen():
    config = ClusterConfig.from_environment({})
    with pytest.raises(FrozenInstanceError):
        config.min_in_sync = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("BOURSE_CATALOG", "localhost", "'localhost' is not host:port"),
        ("BOURSE_REPLICAS", "1", "entry '1' is not ID=host:port"),
        ("BOURSE_REPLICAS", "1=a:1,2=b", "replica 2='b' is not host:port"),
        ("BOURSE_MIN_IN_SYNC", "0", "'0' is not a whole number of at least 1"),
        ("BOURSE_MIN_IN_SYNC", "4", "more than the 3 replicas of BOURSE_REPLICAS"),
        ("BOURSE_ALLOW_PLAINTEXT", "maybe", "'maybe' is neither on"),
        ("BOURSE_CATALOG", "10.0.0.5:50052", "10.0.0.5:50052 is not on loopback"),
        ("BOURSE_CATALOG", "0.0.0.0:50052", "0.0.0.0:50052 is not on loopback"),
        ("BOURSE_REPLICAS", "1=127.0.0.1:50054,2=order-2:50054", "replica 2: order-2:50054 is not on loopback"),
    ],
)
def test_bad_value_is_refused_in_one_line_that_names_the_variable(name, value, said):
    with pytest.raises(ConfigError) as caught:
        ClusterConfig.from_environment({name: value})
    assert name in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_replica_that_is_not_configured_has_its_default_address():
    config = ClusterConfig.from_environment({"BOURSE_REPLICAS": "1=[::1]:9"})
    assert config.replica_address(1) == "[::1]:9"
    assert config.replica_address(4) == "127.0.0.1:50057"


@pytest.mark.parametrize("text", ["h:0", "h:65535", "127.0.0.1:50052", "[::1]:80", " h:1 "])
def test_address_is_host_and_port(text):
    assert parse_address(text, name="X") == text.strip()


@pytest.mark.parametrize("text", ["", "h", ":1", "h:", "h:-1", "h:65536", "h:1x", "h:٣"])
def test_other_text_is_no_address(text):
    with pytest.raises(ConfigError, match="X="):
        parse_address(text, name="X")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "entry '' is not"),
        ("1=a:1,", "entry '' is not"),
        ("x=a:1", "entry 'x=a:1' is not"),
        ("0=a:1", "replica id 0 is not within 1 to 1000"),
        ("1001=a:1", "replica id 1001 is not within 1 to 1000"),
        ("-1=a:1", "entry '-1=a:1' is not"),
        ("1=a:1,1=b:1", "replica id 1 is given twice"),
        ("1=a:1,2=a:1", "two replicas have the same address"),
    ],
)
def test_bad_replicas_are_refused(text, said):
    with pytest.raises(ConfigError, match=said) as caught:
        parse_replicas(text, name="X")
    assert str(caught.value).startswith("X")


@pytest.mark.parametrize("text", ["", "-1", "1.5", "one", "٣", "1_0"])
def test_other_text_is_no_count(text):
    with pytest.raises(ConfigError, match="X="):
        parse_count(text, name="X")


def test_count_has_a_least_value():
    assert parse_count("0", name="X", least=0) == 0
    with pytest.raises(ConfigError, match="at least 5"):
        parse_count("4", name="X", least=5)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "[::1]", "localhost", "LOCALHOST"])
def test_loopback_needs_no_tls(host):
    assert ClusterConfig.from_environment({"BOURSE_CATALOG": f"{host}:9"}).tls is None


def test_plaintext_may_be_allowed_beyond_loopback():
    environment = {"BOURSE_CATALOG": "10.0.0.5:9", "BOURSE_ALLOW_PLAINTEXT": "1"}
    assert ClusterConfig.from_environment(environment).catalog == "10.0.0.5:9"
