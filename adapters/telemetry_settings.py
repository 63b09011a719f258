"""The settings of logs, metrics, traces, readiness and the end: a part of `Settings`."""

from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings


class TelemetrySettings(BaseSettings):
    """What a process tells of itself, when it counts as ready, and how it ends."""

    log_format: Literal["text", "json"] = "text"
    """How `serve` and `worker` log to stderr: a line for people, or one JSON object a line."""
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    """The least that they log; from `info` on every request is one line."""
    metrics_open: bool = False
    """Whether `/metrics` is answered without a token: only where no stranger gets to it."""
    worker_metrics: int | None = Field(None, ge=0, le=65535)
    """The port on which a worker serves its own metrics, without a token, on `LEADLOG_HOST`; 0
    takes a free one.
    """
    otlp: str | None = None
    """Where traces go by OTLP over http, such as http://127.0.0.1:4318/v1/traces; unset = none."""

    ready_lag_seconds: float = Field(60.0, gt=0)
    """`/health/ready` says `behind` when the oldest event that a read model lacks is older."""
    unready_seconds: float = Field(0.0, ge=0, le=300)
    """How long `/health/ready` says 503 before `serve` stops listening: let a proxy notice."""
    drain_seconds: int = Field(10, gt=0, le=300)
    """How long requests under way may take when `serve` ends."""

    @field_validator("otlp")
    @classmethod
    def _is_http(cls, url: str | None) -> str | None:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("not a URL such as http://127.0.0.1:4318/v1/traces")
        return url
