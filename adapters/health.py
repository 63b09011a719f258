"""What the API tells of itself: the `Health` port."""

import shutil
from collections.abc import Mapping
from typing import Any

from adapters.measures import COMMANDS
from adapters.metrics import exposition
from adapters.postgres.migrate import MIGRATIONS, read_migrations
from adapters.postgres.vital_signs import PostgresVitalSigns, duties
from adapters.settings import Settings
from commands.ports import Unavailable
from processes import assignment, deadlines, notify, periodic
from projections.catalogue import PROJECTIONS

PROCESSES = (assignment.NAME, deadlines.NAME, periodic.NAME, "seal", "webhooks")


class ServiceHealth:
    """Of one process that serves the API."""

    def __init__(self, settings: Settings, dsn: str) -> None:
        self.ready_lag_seconds = settings.ready_lag_seconds
        self.seal_seconds = settings.seal_seconds
        self.draining = False
        self._embedded = None if settings.database else settings.data_dir
        self._migration = read_migrations(MIGRATIONS)[-1].name
        optional = {notify.NAME: settings.smtp or settings.chat, "relay": settings.kafka}
        wanted = [name for name, is_wanted in optional.items() if is_wanted]
        self._database = PostgresVitalSigns(
            dsn,
            duties(list(PROJECTIONS), [*PROCESSES, *wanted]),
            patience=settings.position_wait_seconds,
        )

    async def signs(self) -> Mapping[str, Any]:
        """The database's signs, and the free part of the disk where it is ours."""
        signs = await self._database.take()
        if signs["migration"] < self._migration:
            raise Unavailable(f"the schema is not at {self._migration}: run `leadlog migrate`")
        if self._embedded and self._embedded.exists():
            disk = shutil.disk_usage(self._embedded)
            return {**signs, "disk_free": disk.free / disk.total}
        return signs

    async def metrics(self) -> bytes:
        """What this process has counted, and the signs if there are any."""
        try:
            return exposition(await self.signs())
        except Unavailable:
            return exposition(None)

    def note_command(self, kind: str, outcome: str) -> None:
        """One more of them."""
        COMMANDS.add(kind, outcome)

    async def close(self) -> None:
        """Close the connection."""
        await self._database.close()
