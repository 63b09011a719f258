"""What a person's login reads is what the person may see, as the directory is now (R114-R116)."""

from collections.abc import Iterator
from random import Random
from typing import Any

import psycopg
import pytest

from adapters import sql_logins as given
from adapters.postgres.builds import ensure_live, live_builds
from adapters.postgres.rebuild import rebuild, roll_back
from adapters.postgres.register import read_register
from adapters.postgres.row_scope import arguments, within
from adapters.postgres.runner import catch_up
from adapters.postgres.tables import Connection, connect
from aggregates.directory import events as d
from aggregates.directory.register import ROLES
from aggregates.event import Event, PolicyRef
from aggregates.lead.time_events import FirstFollowUpTaskIssued
from aggregates.refusal import Refusal
from api.access import ALLOWED
from commands.register import Register
from projections.catalogue import PROJECTIONS
from tests.integration import sql_logins
from tests.integration.report_log import Log, assigned, captured, contacted, stream, when, won
from tests.integration.sql_logins import Logins
from tests.integration.test_row_access import NAMES, fill, lead_of
from tests.seed import SEED
from tests.size import size

PEOPLE = NAMES[1:]
TEAMS = NAMES[1:]
"""Teams are called like people: nothing may take the one for the other."""


@pytest.fixture
def logins(dsn: str) -> Iterator[Logins]:
    with sql_logins.made(dsn) as logins:
        yield logins


def about_people(draw: Random) -> tuple[str, Event]:
    """Something that happens to a person or a team, whether or not it makes sense."""
    name, team = draw.choice(PEOPLE), draw.choice(NAMES)
    assert name
    event: Event = draw.choice(
        (
            d.PersonAdded(name=name, role=draw.choice((None, *ROLES)), team=team),
            d.RoleChanged(name=name, role=draw.choice(ROLES)),
            d.PersonTeamChanged(name=name, team=team),
            d.PersonDeactivated(name=name),
            d.PersonReactivated(name=name),
            d.PersonReactivated(name=name),
            d.AbsenceNoted(name=name, since=d.date(2024, 5, 1), until=d.date(2024, 5, 2)),
            d.TeamAdded(name=name),
            d.SupervisorSet(name=name, supervisor=draw.choice(NAMES)),
            d.SupervisorSet(name=name, supervisor=draw.choice(NAMES)),
        )
    )
    kind = "team" if isinstance(event, d.TeamEvent) else "person"
    return f"{kind}:{name}", event


def seen_by(register: Register, person: str, table: list[dict[str, Any]]) -> set[str]:
    """The leads that the API shows a person."""
    entry = register.people.get(person)
    if entry is None or not entry.active or entry.role not in ALLOWED["lead.read"]:
        return set()
    scope = register.scope(person, entry.role)
    return {row["lead"] for row in table if scope.sees(lead_of(row))}


def within_sql(conn: Connection, register: Register, person: str) -> set[str]:
    """The same by the condition that the lists are cut with."""
    entry = register.people.get(person)
    if entry is None or not entry.active or entry.role not in ALLOWED["lead.read"]:
        return set()
    place = live_builds(conn)["leads"].schema
    query = f"SELECT l.lead::text FROM {place}.leads l WHERE {within('l')}"
    scope = register.scope(person, entry.role)
    return {row[0] for row in conn.execute(query.encode(), arguments(scope))}


def test_a_login_reads_what_the_scope_is(dsn: str, logins: Logins) -> None:
    """Any directory, any leads: `Scope.sees`, the lists' condition and the login agree."""
    print(f"SEED={SEED}")
    draw = Random(SEED)
    log, sizes = Log(dsn), set()
    open_connections = {}
    for person in PEOPLE:
        assert person
        open_connections[person] = logins.connect(logins.member(f"member_{person}", person))
    with connect(dsn) as conn:
        ensure_live(conn, PROJECTIONS["leads"])
        table = fill(conn, draw, 200)
        conn.commit()
        for _ in range(size(60, 1500)):
            log.append(*(about_people(draw) for _ in range(draw.randint(1, 4))))
            register = read_register(conn)
            for person, own in open_connections.items():
                expected = seen_by(register, person, table)
                rows = own.execute("SELECT lead::text FROM member.leads").fetchall()
                assert {row[0] for row in rows} == expected, register.people.get(person)
                assert within_sql(conn, register, person) == expected
                assert len(rows) == len(expected)
                sizes.add(len(expected) * 10 // len(table))
            conn.commit()
    for own in open_connections.values():
        own.close()
    assert len(sizes) > 4, "the directories are too much alike to prove anything"


COMPANY: tuple[tuple[str, Event], ...] = (
    ("p1", d.PersonAdded(name="王芳", role="supervisor", team="华东")),
    ("p2", d.PersonAdded(name="李雷", role="sales", team="华东")),
    ("p3", d.PersonAdded(name="吴刚", role="sales", team="华北")),
)
POLICY = PolicyRef("response", 1, "0" * 64)


def worked_on(lead: str, owner: str, day: str, amount: str) -> tuple[tuple[str, Event], ...]:
    """A lead that somebody was given, called and won."""
    due = when("2024-05-03")
    assert due
    issued = FirstFollowUpTaskIssued(
        occurred_at=due, owner=owner, level="high", due_at=due, policy=POLICY
    )
    return (
        captured(lead, "2024-05-01", source="官网"),
        assigned(lead, "2024-05-01", owner),
        (lead, issued),
        contacted(lead, "2024-05-02"),
        won(lead, day, amount),
    )  # fmt: skip


LEADS = (*worked_on("a", "李雷", "2024-05-05", "100"), *worked_on("b", "吴刚", "2024-05-09", "900"))


PER_LEAD = {v.name for p in PROJECTIONS.values() for v in p.views if v.scoped} - {
    "conversion", "cycle_time", "attachments",
}  # fmt: skip
"""Views with a row or more for each lead of this company."""


def test_every_view_is_cut_to_the_scope(dsn: str, logins: Logins) -> None:
    """R114, R115: rows of leads, and figures over them, count the scope alone."""
    Log(dsn).append(*COMPANY, *LEADS)
    catch_up(dsn)
    li, wang = logins.member("li", "李雷"), logins.member("wang", "王芳")
    own = str(stream("a"))
    for login in (li, wang):
        for name in PER_LEAD:
            found = logins.asks(login, f"SELECT DISTINCT lead::text FROM member.{name}")
            assert found == [(own,)], name
        won_on = logins.asks(login, "SELECT lead, amount FROM member.conversions")
        assert [row[1] for row in won_on] == [100]
        assert logins.asks(
            login, "SELECT leads, converted, amount FROM member.conversion WHERE dimension = 'all'"
        ) == [(1, 1, 100)]
        assert logins.asks(
            login, "SELECT n, calendar_median FROM member.cycle_time WHERE dimension = 'all'"
        ) == [(1, 4)]


def test_who_has_left_or_is_nobody_reads_nothing_at_once(dsn: str, logins: Logins) -> None:
    """R102, R114: in open sessions too, and though no worker runs."""
    log = Log(dsn)
    log.append(*COMPANY, *LEADS)
    catch_up(dsn)
    li = logins.member("li", "李雷")
    stranger = logins.make("stranger", "leadlog_member")
    count = "SELECT count(*) FROM member.leads"
    assert logins.asks(stranger, count) == [(0,)]
    with logins.connect(li) as conn:
        conn.execute("PREPARE mine AS SELECT count(*) FROM member.leads")
        assert conn.execute("EXECUTE mine").fetchone() == (1,)
        log.append(("p2", d.PersonDeactivated(name="李雷")))
        assert conn.execute("EXECUTE mine").fetchone() == (0,)
        log.append(("p2", d.PersonReactivated(name="李雷")))
        assert conn.execute("EXECUTE mine").fetchone() == (1,)
        log.append(("p2", d.RoleChanged(name="李雷", role="analyst")))
        assert conn.execute("EXECUTE mine").fetchone() == (0,), "analysts read schema report"


def test_a_rebuild_and_a_roll_back_keep_the_cut(dsn: str, logins: Logins) -> None:
    """Every swap makes the views anew: none of them is lost, wider or left on an old build."""
    log = Log(dsn)
    log.append(*COMPANY, *LEADS)
    catch_up(dsn)
    li = logins.member("li", "李雷")
    asked = "SELECT l.code, f.at FROM member.leads l JOIN member.follow_ups f USING (lead)"
    with connect(dsn) as conn, logins.connect(li) as reader:
        reader.execute("PREPARE mine AS " + asked)
        before = reader.execute("EXECUTE mine").fetchall()
        assert [row[0] for row in before] == ["X-a"]
        for name in ("leads", "follow_ups", "leads"):
            rebuild(conn, PROJECTIONS[name])
            assert reader.execute("EXECUTE mine").fetchall() == before
        log.append(assigned("b", None, "李雷"))
        catch_up(dsn)
        assert len(reader.execute("EXECUTE mine").fetchall()) == 2, "the live build, no old one"
        assert roll_back(conn, PROJECTIONS["leads"])
        assert len(reader.execute("EXECUTE mine").fetchall()) == 2
        schemas = {build.schema for build in live_builds(conn).values()}
        bodies = conn.execute(
            "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'scope'::regnamespace"
            " AND prosecdef"
        ).fetchall()
        assert len(bodies) >= 8
        for name, body in bodies:
            assert any(f'"{schema}"' in body for schema in schemas), name


def test_the_directory_is_read_by_its_index(dsn: str) -> None:
    """Not by a pass over the log: who asks for their leads reads the events of people alone."""
    log = Log(dsn)
    log.append(*COMPANY)
    for n in range(20):
        log.append(*(captured(f"L{n}-{k}", None) for k in range(100)))
    with connect(dsn) as conn:
        plan = conn.execute("EXPLAIN SELECT * FROM scope.people").fetchall()
    assert "leadlog_events_register_idx" in str(plan), plan


def test_a_login_is_given_to_one_person_and_reads_nothing_more(dsn: str, logins: Logins) -> None:
    wide, twice = logins.make("wide", "leadlog_analyst"), logins.member("twice", "李雷")
    reader = logins.make("reader", "pg_read_all_data")
    with psycopg.connect(dsn, autocommit=True) as conn:
        for login, code in (
            ("nobody_at_all", "unknown-login"),
            (wide, "login-too-wide"),
            (reader, "login-too-wide"),
            ("postgres", "login-too-wide"),
            ("leadlog_writer", "unknown-login"),
            (twice, "login-taken"),
        ):
            with pytest.raises(Refusal) as refused:
                given.give(conn, login, "吴刚", "operator:test")
            assert refused.value.code == code
        assert given.give(conn, twice, "李雷", "operator:test") is False
        assert given.end(conn, twice, "operator:test") == "李雷"
        assert given.end(conn, twice, "operator:test") is None
        assert given.give(conn, twice, "吴刚", "operator:test") is True
        kept = [(one.person, one.ended_at is None) for one in given.given(conn)]
        assert kept == [("李雷", False), ("吴刚", True)], "who could read what is kept"
