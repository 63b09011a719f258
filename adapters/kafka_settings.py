"""The settings of Kafka: a part of `Settings`."""

from pydantic_settings import BaseSettings


class KafkaSettings(BaseSettings):
    """The settings of Kafka."""
