"""The ways to a person, and why a message did not take one; channels have reasons of their own."""

IN_APP, EMAIL, CHAT = "in-app", "email", "chat"
CHANNELS = (IN_APP, EMAIL, CHAT)
LANGUAGES = ("zh", "en")

TOO_OLD, MOOT, NOT_WANTED, FAILED = "too-old", "moot", "not-wanted", "failed"
