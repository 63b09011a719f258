"""`leadlog users`, `teams` and `tokens`: who belongs to the company, who may call the API."""

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

import psycopg
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table as Sheet

from adapters.cli import Failed, app
from adapters.cli.options import DatabaseOption, opened, read_time
from adapters.directory import carry_out, operator, register
from adapters.settings import Settings
from adapters.tokens import in_days, issue, issued, revoke
from aggregates.directory.register import BY_RULE, ROLES
from commands.access import Issued
from commands.company.people import AddPerson, ChangePerson, DeactivatePerson, ReactivatePerson
from commands.company.teams import AddTeam, SetSupervisor
from commands.company.wiring import Subject
from commands.fields import Command
from commands.validation import sentence

UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}

users = typer.Typer(help="People with a role.", no_args_is_help=True)
teams = typer.Typer(help="Teams and who leads them.", no_args_is_help=True)
tokens = typer.Typer(help="Secrets that let a person call the API.", no_args_is_help=True)
app.add_typer(users, name="users")
app.add_typer(teams, name="teams")
app.add_typer(tokens, name="tokens")

NewName = Annotated[str, typer.Argument(metavar="NAME", help="Unique in the company.")]
Known = Annotated[str, typer.Argument(metavar="NAME", help="As `list` shows it.")]
Role = Annotated[str, typer.Option("--role", help=f"One of: {', '.join(ROLES)}.")]
Team = Annotated[str | None, typer.Option("--team", help="Their team; it may be a new one.")]
Email = Annotated[str | None, typer.Option("--email", help="Where messages go.")]
Why = Annotated[str | None, typer.Option("--reason", help="Kept with the event.")]
TokenName = Annotated[str, typer.Option("--name", help="What the token is for, e.g. laptop.")]
User = Annotated[str, typer.Option("--user", help="The person's name.")]


@users.command("add")
def add_user(
    name: NewName,
    *,
    role: Role,
    team: Team = None,
    email: Email = None,
    database: DatabaseOption = None,
) -> None:
    """Add a person; the same again changes nothing."""
    command = _checked(AddPerson, name=name, role=role, team=team, email=email)
    with opened(database) as handle:
        person = carry_out(handle.dsn, command, Subject(command.name))
    typer.echo(f"{person.name}: {person.role}")


@users.command("change")
def change_user(
    name: Known,
    *,
    role: Annotated[str | None, typer.Option(help="Another role.")] = None,
    team: Annotated[str | None, typer.Option(help='Another team; "" = none.')] = None,
    email: Annotated[str | None, typer.Option(help='Another address; "" = none.')] = None,
    weight: Annotated[float | None, typer.Option(help="Share of new leads; 1 = normal.")] = None,
    capacity: Annotated[int | None, typer.Option(help="Most open leads at a time.")] = None,
    database: DatabaseOption = None,
) -> None:
    """Change a person; what is not given stays."""
    given = {"role": role, "team": team, "email": email, "weight": weight, "capacity": capacity}
    command = _checked(ChangePerson, **{k: v for k, v in given.items() if v is not None})
    with opened(database) as handle:
        person = carry_out(handle.dsn, command, Subject(name))
    typer.echo(f"{person.name}: {person.role}, team {person.team or '-'}")


@users.command("list")
def list_users(database: DatabaseOption = None) -> None:
    """Show the people with a role, and those whom only imports have named."""
    sheet = Sheet("name", "role", "team", "e-mail", "active")
    with opened(database) as handle:
        people = register(handle.dsn).people
    for name, person in sorted(people.items()):
        active = "yes" if person.active else "no"
        sheet.add_row(name, person.role, person.team, person.email, active)
    _print(sheet)


@users.command("deactivate")
def deactivate_user(
    name: Known,
    *,
    hand_over: Annotated[
        str | None, typer.Option(help=f"Who gets their open leads: a name, or {BY_RULE}.")
    ] = None,
    reason: Why = None,
    database: DatabaseOption = None,
) -> None:
    """A person leaves: no login, no new leads; refused while they own open leads."""
    command = _checked(DeactivatePerson, hand_over=hand_over, reason=reason)
    with opened(database) as handle:
        carry_out(handle.dsn, command, Subject(name))
    typer.echo(f"{name}: inactive, tokens revoked")


@users.command("reactivate")
def reactivate_user(name: Known, *, reason: Why = None, database: DatabaseOption = None) -> None:
    """A person is back, with the role they had; their tokens are not."""
    with opened(database) as handle:
        person = carry_out(handle.dsn, _checked(ReactivatePerson, reason=reason), Subject(name))
    typer.echo(f"{person.name}: {person.role}")


@teams.command("add")
def add_team(
    name: NewName,
    *,
    supervisor: Annotated[str | None, typer.Option(help="Who leads it.")] = None,
    database: DatabaseOption = None,
) -> None:
    """Add a team; the same again changes nothing."""
    command = _checked(AddTeam, name=name, supervisor=supervisor)
    with opened(database) as handle:
        team = carry_out(handle.dsn, command, Subject(command.name))
    typer.echo(f"{team.name}: led by {team.supervisor or 'nobody'}")


@teams.command("supervise")
def supervise(
    name: Known,
    supervisor: Annotated[str, typer.Argument(help='Somebody with that role; "" = nobody.')],
    database: DatabaseOption = None,
) -> None:
    """Put a supervisor in charge of a team."""
    with opened(database) as handle:
        command = _checked(SetSupervisor, supervisor=supervisor)
        team = carry_out(handle.dsn, command, Subject(name))
    typer.echo(f"{team.name}: led by {team.supervisor or 'nobody'}")


@teams.command("list")
def list_teams(database: DatabaseOption = None) -> None:
    """Show the teams, who leads them and how many active people they have."""
    sheet = Sheet("name", "supervisor", "people")
    with opened(database) as handle:
        known = register(handle.dsn)
    for name, team in sorted(known.teams.items()):
        members = sum(p.team == name and p.active for p in known.people.values())
        sheet.add_row(name, team.supervisor, str(members))
    _print(sheet)


@tokens.command("create")
def create(
    user: User,
    name: TokenName,
    *,
    expires_in: Annotated[
        str | None, typer.Option(help="90d, 12h or 30m. Default: LEADLOG_TOKEN_DAYS, 365.")
    ] = None,
    expires_at: Annotated[
        str | None, typer.Option(help="A time; without an offset one of the company's zone.")
    ] = None,
    never: Annotated[bool, typer.Option("--never", help="Valid until it is revoked.")] = False,
    database: DatabaseOption = None,
) -> None:
    """Make a token and print it: it is shown this once."""
    ends = _end(expires_in, expires_at, never=never)
    with opened(database) as handle, psycopg.connect(handle.dsn, autocommit=True) as conn:
        person = register(handle.dsn).people.get(user)
        if person is None or person.role is None:
            raise Failed(f"{user} has no role: run `leadlog users add {user} --role ...` first")
        if not person.active:
            raise Failed(f"{user} is inactive: run `leadlog users reactivate {user}` first")
        token = issue(conn, user, person.role, name, ends, operator())
    if token is None:
        raise Failed(f"{user} has a token named {name}: revoke it or choose another name")
    typer.echo(token)


@tokens.command("revoke")
def revoke_(
    user: User,
    name: Annotated[str | None, typer.Option("--name", help="Which one; default: all.")] = None,
    database: DatabaseOption = None,
) -> None:
    """End a person's token, or all of them; services notice within three seconds."""
    with opened(database) as handle, psycopg.connect(handle.dsn, autocommit=True) as conn:
        ended = revoke(conn, user, name)
    if not ended:
        which = f"valid token named {name}" if name else "valid token"
        raise Failed(f"{user} has no {which}: see `leadlog tokens list`")
    typer.echo(f"{user}: {ended} revoked")


@tokens.command("list")
def list_(database: DatabaseOption = None) -> None:
    """Show whose tokens there are, and when they end and were used last; never the tokens."""
    zone = Settings.load(database=database).zone
    sheet = Sheet("person", "role", "name", "created", "expires", "last used", "state")
    with opened(database) as handle, psycopg.connect(handle.dsn, autocommit=True) as conn:
        people = register(handle.dsn).people
        for token in issued(conn):
            person = people.get(token.person)
            role = person.role if person else token.role
            times = (token.created_at, token.expires_at, token.last_used_at)
            created, ends, used = (_minute(at, zone) for at in times)
            never = "never" if token.expires_at is None else ends
            row = (token.person, role, token.name, created, never, used, _state(token, zone))
            sheet.add_row(*row)
    _print(sheet)


def _end(given: str | None, at: str | None, *, never: bool) -> datetime | None:
    """When a new token ends; None = never."""
    if sum((given is not None, at is not None, never)) > 1:
        raise Failed("give one of --expires-in, --expires-at and --never")
    if never:
        return None
    settings = Settings.load()
    end = read_time("--expires-at", at, settings.timezone) or in_days(settings.token_days)
    if given is not None:
        found = re.fullmatch(r"(\d{1,5})([dhm])", given)
        if not found:
            raise Failed(f"--expires-in: {given} is not a duration such as 90d, 12h or 30m")
        end = datetime.now(UTC) + int(found[1]) * UNITS[found[2]]
    if end <= datetime.now(UTC):
        raise Failed("the token would have expired already: give a later time")
    return end


def _state(token: Issued, zone: ZoneInfo) -> str:
    if token.revoked_at:
        return f"revoked {_minute(token.revoked_at, zone)}"
    expired = token.expires_at and token.expires_at <= datetime.now(UTC)
    return "expired" if expired else "valid"


def _minute(at: datetime | None, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at else ""


C = TypeVar("C", bound=Command)


def _checked(model: type[C], **given: Any) -> C:
    """The command with what was given, or the one line that says what is wrong with it."""
    try:
        return model(**given)
    except ValidationError as error:
        first = error.errors()[0]
        raise Failed(f"{first['loc'][0]}: {sentence(first)}") from None


def _print(sheet: Sheet) -> None:
    width = None if sys.stdout.isatty() else 200
    Console(width=width, markup=False, highlight=False).print(sheet)
