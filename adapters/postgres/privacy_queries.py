"""What was seen of personal data, and what was erased."""

from collections.abc import Mapping
from typing import Any

from psycopg import sql
from psycopg.rows import dict_row

from adapters.postgres.builds import live_builds
from adapters.postgres.lead_queries import Row
from adapters.postgres.row_scope import arguments, within
from adapters.postgres.tables import Connection
from aggregates.directory.scope import Scope
from aggregates.privacy import mask_field

END = 2**63 - 1
# How far the last of each read model's builds has come: one that is not live holds values as well.
# One that could not fold an erasure has it parked.
REACHED = (
    "SELECT b.name, min(b.position), array(SELECT p.position FROM projection.parked p"
    "  WHERE p.name = b.name AND p.position = ANY (%s))"
    " FROM projection.builds b GROUP BY b.name ORDER BY b.name"
)
# The lead of an access may be known to nobody any more by its code, but its row stays.
ACCESSES = (
    "SELECT a.position, a.lead, l.code, a.person, a.kind, a.what, a.purpose, a.at"
    " FROM {accesses} a LEFT JOIN {leads} l ON l.lead = a.lead"
    " WHERE a.position < %(before)s AND {conditions}"
    f" AND (%(everything)s OR (l.lead IS NOT NULL AND {within('l')}))"
    " ORDER BY a.position DESC LIMIT %(limit)s"
)
FILTERS = {
    "lead": "a.lead = %(lead)s",
    "reader": "a.person = %(reader)s",
    "kind": "a.kind = %(kind)s",
    "what": "a.what = %(what)s",
}
ERASURES = (
    "SELECT x.position, x.stream AS lead, l.code, x.erased_at, e.state ->> 'by' AS by,"
    " e.state ->> 'reason' AS reason, (e.state ->> 'first_erased_at')::timestamptz AS"
    " first_erased_at, e.state ->> 'first_erased_by' AS first_erased_by,"
    " x.keys, x.marks, x.attachments, (SELECT count(*) FROM log.leadlog_events s"
    "  WHERE s.originator_id = x.stream AND position('\"sealed\":'::bytea IN s.state) > 0) AS"
    " sealed_events"
    " FROM privacy.erasures x JOIN LATERAL (SELECT convert_from(r.state, 'UTF8')::jsonb AS state"
    "  FROM log.leadlog_events r WHERE r.notification_id = x.position) e ON true"
    " LEFT JOIN {leads} l ON l.lead = x.stream"
    " WHERE x.position < %(before)s AND (%(lead)s::uuid IS NULL OR x.stream = %(lead)s)"
    " ORDER BY x.position DESC LIMIT %(limit)s"
)


def accesses(
    conn: Connection,
    filters: Mapping[str, Any],
    scope: Scope,
    *,
    before: int | None,
    limit: int,
) -> tuple[int, list[Row]]:
    """Accesses to the leads of a scope, the latest first."""
    builds = live_builds(conn)
    conditions = [FILTERS[name] for name in filters] or ["true"]
    asked = sql.SQL(ACCESSES).format(
        accesses=sql.Identifier(builds["accesses"].schema, "accesses"),
        leads=sql.Identifier(builds["leads"].schema, "leads"),
        conditions=sql.SQL(" AND ".join(conditions)),
    )
    given = {**arguments(scope), **filters, "before": END if before is None else before}
    rows = conn.cursor(row_factory=dict_row).execute(asked, given | {"limit": limit}).fetchall()
    return min(builds[name].position for name in ("accesses", "leads")), rows


def erasures(
    conn: Connection, *, lead: Any = None, before: int | None = None, limit: int = 1
) -> tuple[int, list[Row]]:
    """Erasures with what each destroyed, the latest first; of one lead, if one is named.

    `reflected` says of every read model whether it has dropped the lead's values by now.
    """
    builds = live_builds(conn)
    asked = sql.SQL(ERASURES).format(leads=sql.Identifier(builds["leads"].schema, "leads"))
    given = {"before": END if before is None else before, "limit": limit, "lead": lead}
    rows = conn.cursor(row_factory=dict_row).execute(asked, given).fetchall()
    reached = conn.execute(REACHED, ([row["position"] for row in rows],)).fetchall()
    for row in rows:
        row["reason"] = mask_field("reason", row["reason"])
        at = row["position"]
        row["reflected"] = {name: end >= at and at not in parked for name, end, parked in reached}
    return min(build.position for build in builds.values()), rows
