"""People with a login try to get at other people's leads in SQL, every way PostgreSQL offers.

The leads that a login may not see have canaries in all their texts; nothing that the login is told
(rows, errors, notices, plans) holds one, and a question about a lead that is there is answered like
the same question about one that never was.
"""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from adapters.postgres.builds import live_builds
from adapters.postgres.tables import connect
from tests.integration import sql_logins
from tests.integration.api_client import CONTACT, Api, running
from tests.integration.sql_attacks import ATTACKS, SEEING
from tests.integration.sql_logins import Conn, Logins

pytestmark = pytest.mark.anyio

OWNERS = {"own": "李雷", "team": "韩梅", "other": "吴刚", "shared": "吴刚"}
KINDS = ("own", "team", "other", "shared", "pooled", "unowned")
COMPANY = (
    ("李雷", "sales", "华东"),
    ("韩梅", "sales", "华东"),
    ("吴刚", "sales", "华北"),
    ("王芳", "supervisor", "华东"),
    ("周涛", "marketing", None),
    ("郑洁", "analyst", None),
    ("孙丽", "auditor", None),
    ("赵敏", "sales", "华东"),
)
VISIBLE = {
    "李雷": {"own", "shared"},
    "王芳": {"own", "team", "unowned"},
    "周涛": {"unowned"},
    "郑洁": set(),
    "赵敏": set(),
    "孙丽": set(KINDS),
}
"""郑洁 is an analyst, 赵敏 has left."""
LOGINS = {
    "li": "李雷", "wang": "王芳", "zhou": "周涛", "zheng": "郑洁", "zhao": "赵敏", "sun": "孙丽",
}  # fmt: skip
FILTERED = "SELECT count(*) FROM member.leads WHERE "


class World:
    """Leads of every kind, a login of every kind, and what each login must not be told."""

    def __init__(self, api: Api, logins: Logins, leads: Mapping[str, Mapping[str, Any]]) -> None:
        self.api, self.logins, self.leads = api, logins, leads
        self.names: dict[str, str] = {}

    def secrets(self, login: str) -> set[str]:
        """What stands in leads that the login's person may not see."""
        hidden = set(KINDS) - VISIBLE.get(LOGINS.get(login, ""), set())
        return {word for kind in hidden for word in self.words(kind)}

    def words(self, kind: str) -> set[str]:
        """What names a lead."""
        lead = self.leads[kind]
        return {
            lead["id"],
            lead["code"],
            f"客户{kind}公司",
            f"需求{kind}",
            f"反馈{kind}",
            f"联系人{kind}",
        }

    def connect(self, login: str) -> Conn:
        """As this login."""
        return self.logins.connect(self.names[login])


@pytest.fixture
def logins(dsn: str) -> Iterator[Logins]:
    with sql_logins.made(dsn) as logins:
        yield logins


@pytest.fixture
async def world(dsn: str, logins: Logins) -> AsyncIterator[World]:
    async with running(dsn) as api:
        for name, role, team in COMPANY:
            answer = await api.post("/v1/users", {"name": name, "role": role, "team": team})
            assert answer.status_code == 201, answer.text
        east = await api.post("/v1/teams", {"name": "华东", "supervisor": "王芳"})
        assert east.is_success, east.text
        leads = {kind: await captured(api, number, kind) for number, kind in enumerate(KINDS)}
        for kind, verb, body in (
            ("shared", "/shares", {"person": "李雷"}),
            ("pooled", ":release", {}),
        ):
            answer = await api.post(f"/v1/leads/{leads[kind]['id']}{verb}", body)
            assert answer.is_success, answer.text
        await api.project()
        left = await api.post("/v1/users/赵敏:deactivate", {})
        assert left.is_success, left.text
        world = World(api, logins, leads)
        for login, person in LOGINS.items():
            world.names[login] = logins.member(login, person)
        world.names["nobody"] = logins.make("nobody", "leadlog_member")
        world.names["outsider"] = logins.make("outsider")
        yield world


async def captured(api: Api, number: int, kind: str) -> dict[str, Any]:
    """A lead with a follow-up and a file, and its texts."""
    lead = await api.lead(
        customer=f"客户{kind}公司",
        contact=f"联系人{kind}",
        need=f"需求{kind}",
        phone=f"1391234567{number}",
        email=f"{kind}@example.cn",
        owner=OWNERS.get(kind, "吴刚" if kind == "pooled" else None),
    )
    url = f"/v1/leads/{lead['id']}"
    if kind != "unowned":
        told = CONTACT | {"feedback": f"反馈{kind}", "content": "客户对产品感兴趣,要求提供案例"}
        answer = await api.post(f"{url}/follow-ups", told)
        assert answer.is_success, answer.text
        name = {"name": f"客户{kind}公司-报价单-20240502.pdf"}
        answer = await api.call("POST", f"{url}/attachments", params=name, content=b"%PDF-1.7")
        assert answer.is_success, answer.text
    return lead


def tell(conn: Conn, statement: str) -> str:
    """All that statements tell whoever gives them: rows of each, or the error, and notices."""
    notices: list[str] = []
    conn.add_notice_handler(lambda n: notices.append(f"{n.message_primary} {n.message_detail}"))
    said = ""
    try:
        cursor = conn.execute(statement.encode())
        while True:  # one set of rows for each statement
            said += str(cursor.fetchall()) if cursor.description else cursor.statusmessage or ""
            if not cursor.nextset():
                break
    except psycopg.Error as error:
        said += f"{type(error).__name__}: {error} {error.diag.message_detail} {error.diag.context}"
    return said + str(notices)


READABLE = (
    "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'v', 'm', 'p', 'S', 'f') AND n.nspname NOT LIKE 'pg_toast%'"
    " ORDER BY 1"
)
CALLABLE = (
    "SELECT format('%I.%I()', n.nspname, p.proname) FROM pg_proc p"
    " JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.pronargs = 0"
    " AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
    " UNION ALL SELECT format('%I.%I(session_user)', n.nspname, p.proname) FROM pg_proc p"
    " JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'scope' AND p.pronargs = 1"
)


async def test_no_relation_and_no_function_shows_a_foreign_lead(world: World) -> None:
    """R114-R116: whatever the catalogue lists is read whole, what can be called is called."""
    for login in world.names:
        secrets = world.secrets(login)
        with world.connect(login) as conn:
            relations = [row[0] for row in conn.execute(READABLE).fetchall()]
            calls = [row[0] for row in conn.execute(CALLABLE).fetchall()]
            assert len(relations) > 200 and len(calls) > 10
            for relation in relations:
                said = tell(conn, f"SELECT x::text FROM {relation} x")
                assert not [s for s in secrets if s in said], (login, relation)
            for call in calls:
                said = tell(conn, f"SELECT * FROM {call}")
                assert not [s for s in secrets if s in said], (login, call)
            said = tell(conn, "SELECT code FROM member.leads")
            files = tell(conn, "SELECT lead FROM member.attachments")
        seen = {kind for kind, lead in world.leads.items() if lead["code"] in said}
        visible = VISIBLE.get(LOGINS.get(login, ""), set())
        assert seen == visible, login
        has_file = {kind for kind, lead in world.leads.items() if lead["id"] in files}
        assert has_file == visible - {"unowned"}, login


async def test_no_statement_tells_of_a_foreign_lead(world: World) -> None:
    """R114, R115: and what is no attack at all, or fails to be one, does show one's own leads."""
    for login in ("li", "wang", "zhou", "zhao", "nobody"):
        secrets = world.secrets(login)
        for attack in ATTACKS:
            with world.connect(login) as conn:
                said = tell(conn, attack)
                assert not [s for s in secrets if s in said], (login, attack, said)
                user = conn.execute("SELECT session_user::text").fetchone()
                assert user == (world.names[login],), attack
            if login == "li":  # what works does work: it tells of what the login may see
                assert (world.leads["own"]["code"] in said) == (attack in SEEING), attack


async def test_files_and_programs_stay_shut(world: World) -> None:
    """The attacks above do fail, and not for a mistake in them."""
    refused = re.compile(r"InsufficientPrivilege|UndefinedTable|permission|FeatureNotSupported")
    for attack in ATTACKS:
        if any(
            word in attack for word in ("pg_read", "PROGRAM", "lo_import", "EXTENSION", "GRANT")
        ):
            with world.connect("li") as conn:
                assert refused.search(tell(conn, attack)), attack


def questions(lead: Mapping[str, Any], kind: str) -> Iterator[str]:
    """Conditions that hold for one lead; all kinds asked about have names of one length."""
    yield f"lead = '{lead['id']}'"
    yield f"code = '{lead['code']}'"
    yield f"customer = '客户{kind}公司'"
    yield f"phone = '{lead['phone']}'"
    yield f"owner = '{OWNERS.get(kind, '某某')}' AND code = '{lead['code']}'"
    yield f"customer LIKE '%{kind}%' ORDER BY amount"


NOBODY: Mapping[str, Any] = {
    "id": UUID(int=7), "code": "XLSH20000101001", "phone": "130****0000",
}  # fmt: skip


ANALYZED = "ANALYZE, TIMING OFF, SUMMARY OFF, VERBOSE, "


async def test_plans_do_not_tell_whether_a_foreign_lead_is_there(world: World) -> None:
    """Neither the rows a filter removed nor the planner's guesses, with fresh statistics."""
    with connect(world.api.dsn) as owner:
        for build in live_builds(owner).values():
            if build.name in ("leads", "follow_ups"):
                table = sql.Identifier(build.schema, build.name)
                owner.execute(sql.SQL("ANALYZE {}").format(table))
        owner.commit()
    told = questions(world.leads["other"], "other")
    pairs = list(zip(told, questions(NOBODY, "never"), strict=True))
    for login in ("li", "zhou", "zhao", "nobody"):
        with world.connect(login) as conn:
            for analyzed in ("", ANALYZED):
                for there, not_there in pairs:
                    found = plan(conn, analyzed, there)
                    assert found == plan(conn, analyzed, not_there), (login, there)
                    assert "Function Scan" in str(found)


def plan(conn: Conn, analyzed: str, condition: str) -> list[str]:
    """The plan, without the condition that it repeats."""
    asked = f"EXPLAIN ({analyzed}COSTS) SELECT lead FROM member.leads WHERE {condition}"
    rows = conn.execute(asked.encode()).fetchall()
    return [row[0] for row in rows if " Filter: (" not in row[0]]


async def test_counts_do_not_tell_whether_a_foreign_lead_is_there(world: World) -> None:
    with world.connect("li") as conn:
        for condition in questions(world.leads["other"], "other"):
            if condition.startswith("owner"):
                continue  # a lead that is shared has the same one
            count = conn.execute(f"{FILTERED}{condition.split(' ORDER')[0]}".encode()).fetchone()
            assert count == (0,), condition


@pytest.mark.parametrize("role", ["leadlog_analyst", "leadlog_auditor"])
async def test_analysts_and_auditors_read_no_personal_data_in_sql(world: World, role: str) -> None:
    """R111, R112: contact names, contact details and free text, wherever the role gets."""
    name = world.logins.make(role.removeprefix("leadlog_"), role)
    world.names[role] = name
    said = ""
    with world.connect(role) as conn:
        for (relation,) in conn.execute(READABLE).fetchall():
            said += tell(conn, f"SELECT x::text FROM {relation} x")
    # Not beside the masked form: bytes come as hex.
    for kind in KINDS:
        for word in (f"联系人{kind}", f"需求{kind}", f"反馈{kind}", f"{kind}@example.cn"):
            assert word not in said and word.encode().hex() not in said, word
    assert "13912345670" not in said and b"13912345670".hex() not in said
    assert "lead.captured" in said if role == "leadlog_auditor" else "客户own公司" in said
