"""How every client of ours connects to the brokers."""

import logging
from typing import Any

from adapters.settings import Settings

# It tells of every attempt at a broker that is gone; what matters reaches us as an exception.
logging.getLogger("kafka").setLevel(logging.CRITICAL)

CONNECT_MS = 5_000
"""How long a client looks for a broker that answers."""
LONGEST_PAUSE_MS = 500
"""Between two attempts at a broker that is gone. The library's 30 s would hold up a recovery."""


def options(settings: Settings) -> dict[str, Any]:
    """What any client of kafka-python is made with. LEADLOG_KAFKA must be set."""
    assert settings.kafka, "nobody connects where there is no Kafka"
    tls = settings.kafka_tls or settings.kafka_ca_file is not None
    security = ("SASL_" if settings.kafka_username else "") + ("SSL" if tls else "PLAINTEXT")
    found: dict[str, Any] = {
        "bootstrap_servers": list(settings.kafka),
        "client_id": "leadlog",
        "bootstrap_timeout_ms": CONNECT_MS,
        "reconnect_backoff_max_ms": LONGEST_PAUSE_MS,
        "security_protocol": security,
    }
    if settings.kafka_ca_file:
        found["ssl_cafile"] = str(settings.kafka_ca_file)
    if settings.kafka_username and settings.kafka_password:
        found["sasl_mechanism"] = settings.kafka_mechanism
        found["sasl_plain_username"] = settings.kafka_username
        found["sasl_plain_password"] = settings.kafka_password.get_secret_value()
    return found
