"""`leadlog users`, `teams` and `policy` as an operator uses them."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from adapters.directory import recorded
from aggregates.lead.events import LeadReleasedToPool
from aggregates.lead.evolve import fold
from aggregates.lead.state import Lead
from aggregates.policy.activate import policy_id
from tests.integration.program import Program
from tests.integration.report_log import Log, assigned, captured, lost, stream


@pytest.fixture
def leadlog(dsn: str) -> Program:
    return Program(dsn)


def test_people_change_leave_and_come_back(leadlog: Program) -> None:
    """R5, R43, R102: tokens end with the person's time in the company."""
    leadlog("users", "add", "王芳", "--role", "sales", "--team", "华东")
    changed = leadlog("users", "change", "王芳", "--role", "analyst", "--team", "")
    assert changed == "王芳: analyst, team -\n"
    leadlog("tokens", "create", "--user", "王芳", "--name", "laptop")
    leadlog("users", "deactivate", "王芳", "--reason", "离职")
    assert "revoked" in leadlog("tokens", "list")
    assert " no " in leadlog("users", "list")
    leadlog("tokens", "create", "--user", "王芳", "--name", "x", refused="is inactive")
    assert leadlog("users", "reactivate", "王芳") == "王芳: analyst\n"
    leadlog("tokens", "revoke", "--user", "王芳", refused="no valid token")
    leadlog("users", "change", "王芳", "--weight", "0", refused="a weight lies above 0")
    leadlog("users", "deactivate", "nobody", refused="there is nobody of this name")


def test_nobody_leaves_while_they_own_open_leads(dsn: str, leadlog: Program) -> None:
    """R102, R103: as of the log's end, without a worker."""
    leadlog("users", "add", "王芳", "--role", "sales")
    log = Log(dsn)
    log.append(*(captured(lead, None) for lead in "ab"))
    log.append(*(assigned(lead, None, "王芳") for lead in "ab"))
    leadlog("users", "deactivate", "王芳", refused="still owns 2 open leads")
    log.append(lost("a", None), assigned("b", None, "李雷"))
    assert leadlog("users", "deactivate", "王芳") == "王芳: inactive, tokens revoked\n"


def test_a_leaver_s_leads_go_to_whom_the_command_says(dsn: str, leadlog: Program) -> None:
    """R102, R103: to a colleague, or by the assignment rules; without a worker."""
    for name in ("王芳", "李雷", "韩梅"):
        leadlog("users", "add", name, "--role", "sales")
    log = Log(dsn)
    log.append(*(captured(lead, None) for lead in "abc"))
    log.append(*(assigned(lead, None, "王芳") for lead in "abc"))
    leadlog("users", "deactivate", "王芳", "--hand-over", "nobody", refused="nobody is called")
    leadlog("users", "deactivate", "王芳", "--hand-over", "王芳", refused="3 open leads")
    leadlog("users", "deactivate", "王芳", "--hand-over", "李雷", "--reason", "离职")
    assert owners(dsn) == ["李雷"] * 3
    leadlog("users", "deactivate", "李雷", "--hand-over", "by-rule")
    assert owners(dsn) == ["韩梅"] * 3


def owners(dsn: str) -> list[str | None]:
    """Whose the leads a, b and c are, by their events."""
    streams = [stream(lead) for lead in "abc"]
    events = ((lead, (r.event for r in recorded(dsn, lead))) for lead in streams)
    return [fold(Lead(lead), happened).owner for lead, happened in events]


def test_teams_have_supervisors(leadlog: Program) -> None:
    """R115."""
    leadlog("users", "add", "李雷", "--role", "supervisor")
    leadlog("users", "add", "王芳", "--role", "sales", "--team", "华东")
    leadlog("teams", "add", "华北", "--supervisor", "王芳", refused="whose role is supervisor")
    assert leadlog("teams", "add", "华北", "--supervisor", "李雷") == "华北: led by 李雷\n"
    assert leadlog("teams", "supervise", "华东", "李雷") == "华东: led by 李雷\n"
    listed = leadlog("teams", "list")
    assert listed.count("李雷") == 2
    assert leadlog("teams", "supervise", "华北", "") == "华北: led by nobody\n"


def test_a_policy_is_shown_compared_and_brought_into_force(
    dsn: str, leadlog: Program, tmp_path: Path
) -> None:
    file = tmp_path / "pause.toml"
    file.write_text(leadlog("policy", "show", "pause"))
    assert leadlog("policy", "diff", "pause", str(file)) == ""
    assert "version 1 is in force" in leadlog("policy", "activate", "pause", str(file))
    file.write_text("max_days = 60\n")
    changed = leadlog("policy", "diff", "pause", str(file))
    assert "-max_days = 90" in changed
    assert "+max_days = 60" in changed
    activated = leadlog("policy", "activate", "pause", str(file), "--reason", "季度复盘")
    assert activated == "pause: version 2 is in force\n"
    assert "max_days = 60" in leadlog("policy", "show", "pause")
    (event,) = recorded(dsn, policy_id("pause"))
    lines = leadlog("policy", "history", "pause").splitlines()
    assert lines[0].startswith("1  position 0  built in")
    assert lines[1].startswith(f"2  position {event.position}")
    assert lines[1].endswith("季度复盘")
    before = event.recorded_at - timedelta(seconds=1)
    for option in (("--at", before.isoformat()), ("--at-position", str(event.position - 1))):
        assert "max_days = 90" in leadlog("policy", "show", "pause", *option)
    now = datetime.now(before.tzinfo).isoformat()
    assert "max_days = 60" in leadlog("policy", "show", "pause", "--at", now)


def test_a_file_with_faults_is_a_line_for_each(dsn: str, leadlog: Program, tmp_path: Path) -> None:
    file = tmp_path / "labelling.toml"
    file.write_text('more = 1\n[[rules]]\nname = "a"\nlevel = "hot"\n')
    ended = leadlog.run("policy", "activate", "labelling", str(file))
    assert ended.returncode == 1
    first, last = ended.stderr.splitlines()
    assert first == f"{file}: rules[0].level: must be 'high', 'medium', 'low' or 'unrated'"
    assert last == f"leadlog: {file}: more: there is no such field"
    assert recorded(dsn, policy_id("labelling")) == []
    leadlog("policy", "diff", "labelling", str(tmp_path / "none"), refused="No such file")
    leadlog("policy", "show", "labels", refused="the kind of rules is one of completeness")


def test_rules_that_name_nobody_there_are_refused_line_by_line(
    leadlog: Program, tmp_path: Path
) -> None:
    """R31, R34."""
    file = tmp_path / "assignment.toml"
    file.write_text(
        'default = {kind = "person", name = "赵敏"}\n'
        "[[rules]]\n"
        'name = "west"\n'
        'target = {kind = "team", name = "华西"}\n'
    )
    ended = leadlog.run("policy", "activate", "assignment", str(file))
    team, person = ended.stderr.splitlines()
    assert "assignment.toml: rules[0].target.name: there is no team 华西" in team
    assert "assignment.toml: default.name: 赵敏 is nobody" in person
    assert ended.returncode == 1
    assert leadlog("policy", "history", "assignment").count("position") == 1


def test_a_pool_that_holds_leads_is_not_dropped(dsn: str, leadlog: Program, tmp_path: Path) -> None:
    """A32: as of the log's end, without a worker."""
    log = Log(dsn)
    log.append(captured("a", None), ("a", LeadReleasedToPool(pool="公海")))
    file = tmp_path / "pool.toml"
    file.write_text("pools = []\n")
    leadlog("policy", "activate", "pool", str(file), refused="公海 still holds 1 open leads")
    log.append(lost("a", None))
    assert "version 2" in leadlog("policy", "activate", "pool", str(file))
