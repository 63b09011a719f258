"""The settings of read models that are fed from Kafka: a part of `KafkaSettings`."""

from typing import Annotated, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

Numbers = Annotated[tuple[Annotated[int, Field(ge=0)], ...], NoDecode]


class PartitionSettings(BaseSettings):
    """What `leadlog worker --from-kafka` reads."""

    kafka_log: SecretStr | None = None
    """DSN of the log's own database, which is only read: keys of personal data, and events that the
    topic does not have.
    """
    kafka_group: str | None = None
    """The group of consumers; None = one for each database that is fed."""
    kafka_read_partitions: Numbers = ()
    """The numbers of the partitions that this database has, such as 0,1; empty = all."""
    kafka_session_seconds: float = Field(10, ge=6, le=300)
    """After so long without a sign of life a worker's partitions are given to the others."""

    @field_validator("kafka_log")
    @classmethod
    def _is_log(cls, dsn: SecretStr | None) -> SecretStr | None:
        try:
            conninfo_to_dict(dsn.get_secret_value() if dsn else "")
        except psycopg.ProgrammingError:  # its text would show the password
            raise ValueError("not a PostgreSQL DSN such as postgresql://user@host/name") from None
        return dsn

    @field_validator("kafka_read_partitions", mode="before")
    @classmethod
    def _are_numbers(cls, given: Any) -> Any:
        if isinstance(given, str):
            return tuple(part.strip() for part in given.split(",") if part.strip())
        return given
