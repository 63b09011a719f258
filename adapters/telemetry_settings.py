"""The settings of logs, metrics and traces: a part of `Settings`."""

from pydantic_settings import BaseSettings


class TelemetrySettings(BaseSettings):
    """The settings of logs, metrics and traces."""
