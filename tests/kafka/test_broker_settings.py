"""What the settings say of brokers: how a client connects, and what is refused at the start."""

import pytest

from adapters.kafka.connection import options
from adapters.settings import Settings, StartupError

BROKERS = "one.example:9093,two.example:9093"


def test_clients_prove_themselves_over_tls(tmp_path_factory: pytest.TempPathFactory) -> None:
    authorities = tmp_path_factory.mktemp("tls") / "ca.pem"
    settings = Settings.load(
        kafka=BROKERS, kafka_ca_file=authorities, kafka_username="relay", kafka_password="hunter2"
    )
    found = options(settings)
    assert found["bootstrap_servers"] == ["one.example:9093", "two.example:9093"]
    assert found["security_protocol"] == "SASL_SSL"
    assert found["ssl_cafile"] == str(authorities)
    assert found["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (found["sasl_plain_username"], found["sasl_plain_password"]) == ("relay", "hunter2")
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("given", "protocol"),
    [
        ({}, "PLAINTEXT"),
        ({"kafka_tls": True}, "SSL"),
        ({"kafka_username": "relay", "kafka_password": "x"}, "SASL_PLAINTEXT"),
    ],
)
def test_what_is_not_asked_for_is_not_there(given: dict[str, object], protocol: str) -> None:
    assert options(Settings.load(kafka=BROKERS, **given))["security_protocol"] == protocol


@pytest.mark.parametrize(
    ("given", "variable"),
    [
        ({"kafka": "one.example"}, "LEADLOG_KAFKA"),
        ({"kafka": "one.example:http"}, "LEADLOG_KAFKA"),
        ({"kafka_prefix": "线索"}, "LEADLOG_KAFKA_PREFIX"),
        ({"kafka_password": "hunter2"}, "LEADLOG_KAFKA_PASSWORD"),
        ({"kafka_username": "relay"}, "LEADLOG_KAFKA_PASSWORD"),
        (
            {"kafka_username": "a", "kafka_password": "hunter2", "kafka_mechanism": "PLAIN"},
            "LEADLOG_KAFKA_MECHANISM",
        ),
        ({"kafka_partitions": 0}, "LEADLOG_KAFKA_PARTITIONS"),
    ],
)
def test_a_setting_that_makes_no_sense_stops_the_start(
    given: dict[str, object], variable: str
) -> None:
    with pytest.raises(StartupError, match=f"^{variable}: ") as refused:
        Settings.load(**given)
    assert "hunter2" not in str(refused.value)
