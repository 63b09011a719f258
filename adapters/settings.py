"""The settings of every leadlog process: environment variables `LEADLOG_*`, checked once at start.

A variable that is empty counts as unset and a name nobody knows is ignored; a value that makes no
sense stops the program with one line that names the variable.
"""

import os
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from adapters.access_settings import AccessSettings
from adapters.feed_settings import FeedSettings
from adapters.kafka_settings import KafkaSettings
from adapters.notification_settings import chat_bots, sender_address, smtp_server
from adapters.telemetry_settings import TelemetrySettings

PREFIX = "LEADLOG_"


class StartupError(Exception):
    """leadlog cannot start as things are. The message is one line and says what to do."""


def default_data_dir() -> Path:
    """The system's directory for root, the user's own (XDG) for everybody else."""
    if os.geteuid() == 0:
        return Path("/var/lib/leadlog")
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "leadlog"


class Settings(AccessSettings, FeedSettings, KafkaSettings, TelemetrySettings):
    """Immutable; arguments win over the environment. Use `load` where a person reads the error."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid"
    )

    database: str | None = Field(None, repr=False)
    """DSN of a PostgreSQL >= 15 (it may hold a password); None starts the embedded one."""
    data_dir: Path = Field(default_factory=default_data_dir)
    master_key_file: Path | None = None
    """The master keys of personal data, one a line; None = `master.key` in the data directory."""
    master_key: SecretStr | None = None
    """The keys themselves, in place of a file."""
    erasure_list: Path | None = None
    """The list of erasures, which outlives a restored backup; None = `erasures.jsonl` in the data
    directory.
    """
    timezone: str = "Asia/Shanghai"
    """The company's zone: dates, months and naive times mean this one."""
    currency: str = Field("CNY", pattern="^[A-Z]{3}$")
    allow_unsafe_postgres: bool = False
    """Tests only: accept a server that may lose acknowledged commits."""
    port: int = Field(8000, ge=0, le=65535)
    """0 takes a free port."""
    max_body_bytes: int = Field(2**20, gt=0)
    max_attachment_bytes: int = Field(2**26, gt=0)
    """The most that the attachment policy can allow."""
    page_limit: int = Field(200, gt=0)
    requests_per_second: int = Field(10_000, gt=0)
    """Of one person to one process; the next ones are answered 429."""
    position_wait_seconds: float = Field(2.0, ge=0)
    """How long a read waits for the position it asked for before it answers 503."""

    signing_key_file: Path | None = None
    """The keys that sign checkpoints; None = `signing.key` in the data directory."""
    seal_seconds: float = Field(60.0, gt=0)
    """How long an event may be in the log before a signed checkpoint covers it."""
    seal_events: int = Field(10_000, gt=0)
    """How many events at most wait so long."""

    smtp: SecretStr | None = None
    """The mail server: smtp://user:password@host:587?starttls=required, or smtps://…; None = no
    e-mail.
    """
    smtp_sender: str | None = Field(None, validate_default=True)
    """The address that messages come from: leads@example.com, or 线索 <leads@example.com>."""
    chat: SecretStr | None = None
    """The chat bot that messages go to, by URL, or one for each team: {"华东一组": "wecombot://…"}.
    """
    message_hours: float = Field(24.0, gt=0)
    """So long a message is news that is sent; later it is given up."""
    message_attempts: int = Field(16, gt=0)
    message_pause_seconds: float = Field(30.0, gt=0)
    """Until a message that was not taken is tried again; twice as long each time, 2 hours at most.
    """

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """The settings of this process, or StartupError with one line. None overrides nothing."""
        try:
            return cls(**{name: value for name, value in overrides.items() if value is not None})
        except ValidationError as error:
            first = error.errors()[0]
            name = PREFIX + "_".join(str(part) for part in first["loc"]).upper()
            raise StartupError(f"{name}: {first['msg'].removeprefix('Value error, ')}") from None

    @field_validator("database")
    @classmethod
    def _is_dsn(cls, dsn: str | None) -> str | None:
        try:
            conninfo_to_dict(dsn or "")
        except psycopg.ProgrammingError:  # its text would show the password
            raise ValueError("not a PostgreSQL DSN such as postgresql://user@host/name") from None
        return dsn

    @field_validator("smtp")
    @classmethod
    def _is_server(cls, url: SecretStr | None) -> SecretStr | None:
        if url:
            smtp_server(url.get_secret_value())
        return url

    @field_validator("smtp_sender")
    @classmethod
    def _is_sender(cls, sender: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("smtp") and not sender:
            raise ValueError(f"needed where {PREFIX}SMTP is set: leads@example.com")
        if sender:
            sender_address(sender)
        return sender

    @field_validator("chat")
    @classmethod
    def _is_chat(cls, bots: SecretStr | None) -> SecretStr | None:
        if bots:
            chat_bots(bots.get_secret_value())
        return bots

    @field_validator("data_dir")
    @classmethod
    def _is_absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (OSError, ValueError, LookupError):
            raise ValueError(f"unknown time zone {name!r}, use one such as Asia/Shanghai") from None
        return name

    @property
    def master_key_path(self) -> Path:
        """Where the file of master keys lies, or would."""
        return self.master_key_file or self.data_dir / "master.key"

    @property
    def signing_key_path(self) -> Path:
        """Where the file of signing keys lies, or will."""
        return self.signing_key_file or self.data_dir / "signing.key"

    @property
    def erasure_list_path(self) -> Path:
        """Where the list of erasures lies, or will."""
        return self.erasure_list or self.data_dir / "erasures.jsonl"

    @property
    def zone(self) -> ZoneInfo:
        """The company's time zone as Python's."""
        return ZoneInfo(self.timezone)
