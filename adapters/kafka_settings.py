"""The settings of Kafka: a part of `Settings`."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from adapters.partition_settings import PartitionSettings

TOPIC = ".events"
NAME = r"^[a-zA-Z0-9_-][a-zA-Z0-9._-]*$"


class KafkaSettings(PartitionSettings):
    """The brokers, the topic and the relay that copies the log to it."""

    kafka: Annotated[tuple[str, ...], NoDecode] | None = None
    """Addresses of brokers: host:port,host:port. None = no Kafka."""
    kafka_prefix: str = Field("leadlog", max_length=200, pattern=NAME)
    """What the names of topics and groups begin with: the topic is `<prefix>.events`."""
    kafka_tls: bool = False
    """Whether connections are encrypted; implied by a file of authorities."""
    kafka_ca_file: Path | None = None
    """Certificates of the authorities that vouch for the brokers (PEM); None = the system's."""
    kafka_username: str | None = None
    kafka_password: SecretStr | None = Field(None, validate_default=True)
    kafka_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        "SCRAM-SHA-512", validate_default=True
    )
    """How name and password are proved; PLAIN, which sends them as they are, takes TLS."""

    kafka_partitions: int = Field(8, gt=0, le=1000)
    """Of the topic, for ever: with another number events of one lead would overtake each other."""
    kafka_replicas: int | None = Field(None, gt=0, le=32767)
    """Of the topic, when it is made; None = as the brokers have it."""
    kafka_retention_days: float | None = Field(None, gt=0)
    """How long the topic keeps events, when it is made; None = for ever."""
    kafka_max_message_bytes: int = Field(2**23, ge=2**20)
    """The largest event, as the topic is made and the relay sends; the brokers must carry it."""
    kafka_unacknowledged: int = Field(10_000, gt=0)
    """How many events the relay has under way before it waits for the brokers."""
    kafka_watchdog_seconds: float = Field(60, gt=0)
    """An event that is not acknowledged for so long is sent again over new connections."""

    @property
    def kafka_topic(self) -> str:
        """The topic of the log's events."""
        return self.kafka_prefix + TOPIC

    @field_validator("kafka", mode="before")
    @classmethod
    def _is_list_of_addresses(cls, given: Any) -> Any:
        if not isinstance(given, str):
            return given
        addresses = tuple(part.strip() for part in given.split(",") if part.strip())
        for address in addresses:
            host, _, port = address.rpartition(":")
            if not (host and port.isdecimal() and 0 < int(port) < 2**16):
                raise ValueError("write it as host:port,host:port")
        return addresses or None

    @field_validator("kafka_password")
    @classmethod
    def _goes_with_a_name(cls, given: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if (given is None) != (info.data.get("kafka_username") is None):
            raise ValueError("needed with LEADLOG_KAFKA_USERNAME, and only there")
        return given

    @field_validator("kafka_mechanism")
    @classmethod
    def _keeps_the_password(cls, given: str, info: ValidationInfo) -> str:
        if given == "PLAIN" and not (info.data.get("kafka_tls") or info.data.get("kafka_ca_file")):
            raise ValueError("PLAIN sends the password as it is: set LEADLOG_KAFKA_TLS as well")
        return given
