"""The views of a build: `report.*` for analysts and, cut to a person's scope, `member.*`.

A member's rows come out of a function that runs with its owner's rights and takes no argument. What
a member asks, filters and orders is evaluated on its result alone, so neither a plan nor an
operator of theirs meets a row that is not theirs (docs/adr/0016).
"""

from psycopg import sql

from adapters.postgres.tables import Connection
from projections.base import Projection, View

# The rows of a table that belong to leads which whoever is logged in may see. SET ROLE does not
# change session_user.
WITHIN = (
    "(SELECT r.* FROM {table} r"
    " WHERE r.lead IN (SELECT s.lead FROM scope.lead_ids(session_user) s (lead)))"
)
FUNCTION = (
    "CREATE FUNCTION {function}() RETURNS SETOF {view} LANGUAGE sql STABLE SECURITY DEFINER"
    " SET search_path = pg_catalog, pg_temp AS {body}"
)


def create_views(conn: Connection, projection: Projection, schema: str) -> None:
    """Point the projection's views at the build whose schema this is."""
    for view in projection.views:
        table = sql.Identifier(schema, view.scoped or "")
        _drop(conn, view)
        _create(conn, view, _query(view, schema, table))
        if view.scoped:
            within = sql.SQL(WITHIN).format(table=table)
            _create_for_members(conn, view, _query(view, schema, within))


def _query(view: View, schema: str, rows: sql.Composable) -> sql.Composed:
    return sql.SQL(view.query).format(schema=sql.Identifier(schema), rows=rows)


def _drop(conn: Connection, view: View) -> None:
    if view.scoped:
        conn.execute(sql.SQL("DROP VIEW IF EXISTS {}").format(_member(view)))
        conn.execute(sql.SQL("DROP FUNCTION IF EXISTS {}()").format(_function(view)))
    conn.execute(sql.SQL("DROP VIEW IF EXISTS {}").format(_name(view)))


def _create(conn: Connection, view: View, query: sql.Composed) -> None:
    conn.execute(sql.SQL("CREATE VIEW {} AS {}").format(_name(view), query))
    _describe(conn, view, _name(view))
    if view.schema == "report":
        conn.execute(sql.SQL("GRANT SELECT ON {} TO leadlog_analyst").format(_name(view)))


def _create_for_members(conn: Connection, view: View, query: sql.Composed) -> None:
    """The function with the rights, and the view that members read it through."""
    function, name, body = _function(view), _member(view), sql.Literal(query.as_string(conn))
    conn.execute(sql.SQL(FUNCTION).format(function=function, view=_name(view), body=body))
    conn.execute(sql.SQL("REVOKE EXECUTE ON FUNCTION {}() FROM PUBLIC").format(function))
    conn.execute(sql.SQL("GRANT EXECUTE ON FUNCTION {}() TO leadlog_member").format(function))
    conn.execute(sql.SQL("CREATE VIEW {} AS SELECT * FROM {}()").format(name, function))
    _describe(conn, view, name)
    conn.execute(sql.SQL("GRANT SELECT ON {} TO leadlog_member").format(name))


def _describe(conn: Connection, view: View, name: sql.Identifier) -> None:
    conn.execute(sql.SQL("COMMENT ON VIEW {} IS {}").format(name, view.comment))
    for column, comment in view.columns.items():
        conn.execute(
            sql.SQL("COMMENT ON COLUMN {}.{} IS {}").format(name, sql.Identifier(column), comment)
        )


def _name(view: View) -> sql.Identifier:
    return sql.Identifier(view.schema, view.name)


def _member(view: View) -> sql.Identifier:
    return sql.Identifier("member", view.name)


def _function(view: View) -> sql.Identifier:
    return sql.Identifier("scope", view.name)
