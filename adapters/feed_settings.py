"""The settings of the change feed and of webhooks: a part of `Settings`."""

from pydantic_settings import BaseSettings


class FeedSettings(BaseSettings):
    """The settings of the change feed and of webhooks."""
