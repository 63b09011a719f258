"""The settings of the change feed and of webhooks: a part of `Settings`."""

from ipaddress import ip_network
from typing import Any

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from adapters.access_settings import Listed


class FeedSettings(BaseSettings):
    """How many may follow the feed, and where webhooks may go. Durations by their names' ends."""

    feed_connections: int = Field(2000, gt=0)
    """Connections to the feed of one process; the next ones are answered 503."""
    feed_connections_per_person: int = Field(20, gt=0)
    """Of one person to one process; the next ones are answered 429."""
    feed_heartbeat_seconds: float = Field(15, gt=0)
    """Something is sent at least so often."""

    webhooks: int = Field(100, gt=0)
    """How many webhooks there may be; so many deliveries may be under way at once."""
    webhook_allowed: Listed = ()
    """Networks that are not public and may be sent to all the same, such as 10.1.2.0/24."""
    webhook_http: bool = False
    """Whether a URL may begin with http: tests, and receivers on this machine."""
    webhook_seconds: float = Field(15, gt=0, le=300)
    """How long a receiver may take for everything."""
    webhook_hours: float = Field(24, gt=0)
    """A receiver that takes nothing for so long is disabled."""
    webhook_pause_seconds: float = Field(5, gt=0)
    """Until a message is tried again; twice as long each time, 2 hours at most."""

    @field_validator("webhook_allowed", mode="before")
    @classmethod
    def _split(cls, given: Any) -> Any:
        if isinstance(given, str):
            return tuple(part.strip() for part in given.split(",") if part.strip())
        return given

    @field_validator("webhook_allowed")
    @classmethod
    def _are_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            try:
                ip_network(network)
            except ValueError:
                raise ValueError(f"{network} is no network such as 10.1.2.0/24") from None
        return networks
