"""Which partition a stream is in, and which partitions a database reads."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.partitioner import murmur2


def partition_of(stream: UUID, count: int) -> int:
    """Where the messages of a stream are, as all clients of Kafka place a key by default."""
    return int(murmur2(str(stream).encode()) & 0x7FFFFFFF) % count


def assignor(wanted: Collection[int]) -> type[Any]:
    """Divides the partitions among a group: these, or all of them where none is named. Its own name
    tells which: the broker lets nobody into the group who wants other ones.
    """

    class Pinned(RangePartitionAssignor):  # type: ignore[misc]
        """The wanted partitions in ranges."""

        name = "leadlog:" + (",".join(map(str, sorted(wanted))) if wanted else "all")

        @classmethod
        def assign(cls, cluster: Any, members: Any) -> Any:
            """Member -> its partitions."""
            return super().assign(_Only(cluster, wanted), members)

    return Pinned


class _Only:
    """What a cluster has of a topic, as if there were only some of its partitions."""

    def __init__(self, cluster: Any, wanted: Collection[int]) -> None:
        self._cluster, self._wanted = cluster, wanted

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        """The wanted ones of those that are there."""
        found: set[int] | None = self._cluster.partitions_for_topic(topic)
        return found & set(self._wanted) if found and self._wanted else found
