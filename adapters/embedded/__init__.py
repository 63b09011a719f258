"""A PostgreSQL of our own: the default database, started and shared without administration."""

from adapters.embedded.cluster import Cluster

__all__ = ["Cluster"]
