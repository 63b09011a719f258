"""docs/reference/grants.md says who may do what with every object there is: nothing less, nothing
more. A new table, view or function fails here until somebody has decided who may use it.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

import psycopg
import pytest

from adapters.postgres.runner import catch_up
from tests.conftest import ROOT
from tests.integration import sql_logins
from tests.integration.sql_logins import Conn

PAGE = ROOT / "docs" / "reference" / "grants.md"
ROLES = ("writer", "projector", "sealer", "analyst", "auditor", "member")
BUILD = re.compile(r"\bp_[a-z_]+_\d+\b")
OURS = "NOT starts_with(n.nspname, 'pg_') AND n.nspname <> 'information_schema'"
LETTERS = {
    "SELECT": "r", "INSERT": "a", "UPDATE": "w", "DELETE": "d", "TRUNCATE": "D", "REFERENCES": "x",
    "TRIGGER": "t",
}  # fmt: skip
"""As PostgreSQL's own access lists write them."""


@pytest.fixture
def outsider(dsn: str) -> Iterator[str]:
    """A login that nobody has granted anything."""
    with sql_logins.made(dsn) as logins:
        yield logins.make("outsider")


def held(conn: Conn, role: str) -> dict[str, str]:
    """What a role may do with each object, as letters; "owner" for its own."""
    found: dict[str, str] = {}
    relation = " || ".join(
        f"CASE WHEN has_table_privilege(%(role)s, c.oid, '{name}') THEN '{letter}'"
        f" WHEN c.relkind <> 'S' AND has_any_column_privilege(%(role)s, c.oid, '{name}')"
        f" THEN '{letter}*' ELSE '' END"
        if name in ("SELECT", "INSERT", "UPDATE", "REFERENCES")
        else f"CASE WHEN has_table_privilege(%(role)s, c.oid, '{name}') THEN '{letter}' ELSE '' END"
        for name, letter in LETTERS.items()
    )
    queries = (
        "SELECT 'schema ' || n.nspname, n.nspowner, "
        "CASE WHEN has_schema_privilege(%(role)s, n.oid, 'USAGE') THEN 'U' ELSE '' END ||"
        " CASE WHEN has_schema_privilege(%(role)s, n.oid, 'CREATE') THEN 'C' ELSE '' END"
        f" FROM pg_namespace n WHERE {OURS}",
        f"SELECT n.nspname || '.' || c.relname, c.relowner, {relation} FROM pg_class c"
        f" JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f', 'S') AND {OURS}",
        "SELECT n.nspname || '.' || p.proname || '()', p.proowner,"
        " CASE WHEN has_function_privilege(%(role)s, p.oid, 'EXECUTE') THEN 'X' ELSE '' END"
        f" FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {OURS}",
    )
    for query in queries:
        owned = (
            f"SELECT x.name, x.owner = %(role)s::regrole, x.may FROM ({query}) x (name, owner, may)"
        )
        for name, own, may in conn.execute(owned.encode(), {"role": role}).fetchall():
            found[name] = "owner" if own else may or "–"
    return found


def documented() -> Mapping[str, tuple[str, ...]]:
    """The table of the page: object -> what each role may do."""
    rows = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == len(ROLES) + 1:
            for name in re.findall(r"`([^`]+)`", cells[0]):
                assert name not in rows, f"{name} stands twice"
                rows[name] = tuple(cells[1:])
    return rows


def actual(conn: Conn) -> Mapping[str, tuple[str, ...]]:
    """The same of the database; the tables of read models' builds are one line."""
    by_role = [held(conn, f"leadlog_{role}") for role in ROLES]
    every: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
    for name in by_role[0]:
        shown = re.sub(r"p_\*\..*", "p_*.*", BUILD.sub("p_*", name))
        every[shown].add(tuple(role[name] for role in by_role))
    different = {name: rights for name, rights in every.items() if len(rights) > 1}
    assert not different, "objects of one name with different rights"
    return {name: rights.pop() for name, rights in every.items()}


def test_the_page_says_what_every_role_may(dsn: str) -> None:
    catch_up(dsn)
    with psycopg.connect(dsn) as conn:
        there, said = actual(conn), documented()
    assert there.keys() - said.keys() == set(), "decide who may use these, and write it down"
    assert said.keys() - there.keys() == set(), "these are no longer there"
    wrong = {name: (said[name], there[name]) for name in said if said[name] != there[name]}
    assert wrong == {}, "(the page, the database)"


def test_whoever_was_granted_nothing_may_nothing(dsn: str, outsider: str) -> None:
    """What everybody has by default: to connect, and to make temporary tables, which nothing of
    ours looks into.
    """
    catch_up(dsn)
    with psycopg.connect(dsn) as conn:
        rights = {name: may for name, may in held(conn, outsider).items() if may != "–"}
        assert rights == {"schema public": "U"}
        row = conn.execute(
            "SELECT has_database_privilege(%(r)s, current_database(), 'CONNECT'),"
            " has_database_privilege(%(r)s, current_database(), 'TEMP'),"
            " has_database_privilege(%(r)s, current_database(), 'CREATE')",
            {"r": outsider},
        ).fetchone()
        assert row == (True, True, False)


def test_roles_are_nothing_more_than_their_grants(dsn: str, outsider: str) -> None:
    """No role of ours is in another one, is powerful by itself, or reads more of the catalogue."""
    readable = (
        "SELECT c.oid::regclass::text FROM pg_class c"
        " WHERE has_table_privilege(%s, c.oid, 'SELECT')"
        " AND c.relnamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"
    )
    with psycopg.connect(dsn) as conn:
        roles = [row[0] for row in conn.execute(
            "SELECT rolname FROM pg_roles WHERE starts_with(rolname, 'leadlog_')"
        )]  # fmt: skip
        assert set(roles) == {f"leadlog_{role}" for role in ROLES}
        powerful = conn.execute(
            "SELECT rolname FROM pg_roles WHERE starts_with(rolname, 'leadlog_') AND (rolsuper"
            " OR rolcanlogin OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)"
        ).fetchall()
        assert powerful == []
        within = conn.execute(
            "SELECT member::regrole::text, roleid::regrole::text FROM pg_auth_members"
            " WHERE member = ANY (SELECT oid FROM pg_roles WHERE starts_with(rolname, 'leadlog_'))"
        ).fetchall()
        assert within == []
        for role in roles:
            rows = conn.execute(readable, (role,)).fetchall()
            assert rows == conn.execute(readable, (outsider,)).fetchall(), role


DEFINERS = {"projection.make_schema": "postgres", "privacy.forget": "postgres"}
"""What acts with the rights of whoever migrated; all else with the projector's."""


def test_functions_with_rights_of_their_own_are_closed(dsn: str) -> None:
    """A fixed search path that ends with the caller's temporary things, and not for everybody."""
    catch_up(dsn)
    with psycopg.connect(dsn) as conn:
        functions = conn.execute(
            "SELECT n.nspname || '.' || p.proname, p.proowner::regrole::text, p.proconfig,"
            " EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a"
            " WHERE a.grantee = 0) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
            " WHERE p.prosecdef"
        ).fetchall()
    assert len(functions) >= 10
    for name, owner, settings, everybodys in functions:
        assert owner == DEFINERS.get(name, "leadlog_projector"), name
        assert "search_path=pg_catalog, pg_temp" in (settings or []), name
        assert not everybodys, name


@pytest.mark.parametrize("role", ["analyst", "member", "auditor"])
def test_readers_change_nothing(dsn: str, role: str) -> None:
    """The three roles that people get: reading is all the letters they have."""
    catch_up(dsn)
    with psycopg.connect(dsn) as conn:
        letters = set("".join(held(conn, f"leadlog_{role}").values())) - {"–"}
    assert letters <= {"r", "U", "X"}


def test_sealed_values_are_told_of_and_not_shown(dsn: str) -> None:
    """An auditor sees that an event has personal values; ciphertext only in the log itself."""
    insert = (
        "INSERT INTO log.leadlog_events (originator_id, originator_version, topic, state,"
        " notification_id, recorded_at)"
        " VALUES (gen_random_uuid(), 1, 'lead.captured', %s, %s, now())"
    )
    clear = b'{"occurred_at":"2024-05-01T01:15:00Z","code":"X-1","meta":{"actor":"user:Li"}}'
    sealed = clear.replace(b'"meta"', b'"sealed":"Y2lwaGVydGV4dA==","meta"')
    with psycopg.connect(dsn) as conn:
        conn.execute(insert, (clear, 1))
        conn.execute(insert, (sealed, 2))
        conn.execute("SET ROLE leadlog_auditor")
        rows = conn.execute(
            "SELECT actor, data, personal, e::text FROM audit.events e ORDER BY position"
        ).fetchall()
    assert [row[:3] for row in rows] == [
        ("user:Li", {"code": "X-1"}, False),
        ("user:Li", {"code": "X-1"}, True),
    ]
    assert "Y2lw" not in str(rows)
