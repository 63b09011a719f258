"""People, teams and the lists that leads choose from, over HTTP (R5, R20, R21, R102, R115)."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from aggregates.directory.references import KINDS, OPEN
from api import openapi
from api.command_route import Call, CommandRoute
from api.company_json import person_json, reference_json, team_json
from api.company_route import Render, Verb, route
from api.problems import Problem, not_found, unavailable
from api.reading import (
    Page,
    Read,
    Text,
    allow,
    answer,
    at_most,
    decode_cursor,
    listed,
)
from api.service import Service
from commands.company import people, references, teams
from commands.register import Register

CHANGE, READ, ABSENCE = "directory.change", "directory.read", "directory.absence"
PREFER = "notifications.prefer"
LIST_CHANGE, LIST_READ = "list.change", "list.read"
LISTS: Mapping[str, str] = {
    "source": "/v1/sources",
    "industry": "/v1/industries",
    "region": "/v1/regions",
    "segment": "/v1/segments",
}
assert LISTS.keys() == set(KINDS)


async def own_team(service: Service, call: Call[Any]) -> None:
    """A supervisor acts on the people of the teams that they lead; an administrator on all."""
    register = await service.registry.current()
    scope = register.scope(call.principal.name, call.principal.role)
    person = register.people.get(call.ref)
    if not scope.everything and not (person and person.team in scope.teams):
        raise Problem(403, "forbidden", "you may do this for your own team")


async def oneself(service: Service, call: Call[Any]) -> None:
    """Everybody decides for themselves; an administrator for all."""
    register = await service.registry.current()
    if call.ref != call.principal.name and call.principal.name not in register.administrators:
        raise Problem(403, "forbidden", "you may do this for yourself")


PEOPLE = (
    Verb("/v1/users", CHANGE, people.AddPerson, 201),
    Verb("/v1/users/{ref:path}:change", CHANGE, people.ChangePerson),
    Verb("/v1/users/{ref:path}:set-notifications", PREFER, people.SetNotifications, check=oneself),
    Verb("/v1/users/{ref:path}:note-absence", ABSENCE, people.NoteAbsence, check=own_team),
    Verb("/v1/users/{ref:path}:cancel-absence", ABSENCE, people.CancelAbsence, check=own_team),
    Verb("/v1/users/{ref:path}:deactivate", CHANGE, people.DeactivatePerson),
    Verb("/v1/users/{ref:path}:reactivate", CHANGE, people.ReactivatePerson),
)
TEAMS = (
    Verb("/v1/teams", CHANGE, teams.AddTeam, 201),
    Verb("/v1/teams/{ref:path}:set-supervisor", CHANGE, teams.SetSupervisor),
)
REFERENCES = tuple(
    verb
    for of, path in LISTS.items()
    for verb in (
        Verb(path, LIST_CHANGE, references.AddReference, 201, of),
        Verb(f"{path}/{{ref:path}}:rename", LIST_CHANGE, references.RenameReference, of=of),
        Verb(f"{path}/{{ref:path}}:retire", LIST_CHANGE, references.RetireReference, of=of),
    )
)


def routes(service: Service) -> Iterator[CommandRoute]:
    """One route per command."""
    for verbs, shape, render in (
        (PEOPLE, "Person", person_json),
        (TEAMS, "Team", team_json),
        (REFERENCES, "Reference", reference_json),
    ):
        for verb in verbs:
            yield route(service, verb, shape, render)


class PeopleFilter(Page):
    """Which people to list: those that have all of these values."""

    role: Text | None = None
    team: Text | None = None
    active: bool | None = None


class ListFilter(Page):
    """Which entries to list."""

    active: bool | None = None
    """False = those that were retired."""


def router(service: Service) -> APIRouter:
    """The reads."""
    routes = APIRouter(
        prefix="/v1", responses=openapi.problems(404), default_response_class=Response
    )
    directory = APIRouter(tags=["directory"], dependencies=[allow(service, READ)])

    @directory.get("/users")
    async def list_people(query: Annotated[PeopleFilter, Query()]) -> Response:
        """People by name; those that only imports have named have no role."""
        position, register = await seen(service, query)
        return page(service, query, position, register.people, person_json)

    @directory.get("/users/{name:path}", responses=openapi.shape("Person"))
    async def read_person(name: str, query: Annotated[Read, Query()]) -> Response:
        """A person."""
        position, register = await seen(service, query)
        return one(position, register.people, name, person_json)

    @directory.get("/teams")
    async def list_teams(query: Annotated[Page, Query()]) -> Response:
        """Teams by name."""
        position, register = await seen(service, query)
        return page(service, query, position, register.teams, team_json)

    @directory.get("/teams/{name:path}", responses=openapi.shape("Team"))
    async def read_team(name: str, query: Annotated[Read, Query()]) -> Response:
        """A team."""
        position, register = await seen(service, query)
        return one(position, register.teams, name, team_json)

    routes.include_router(directory)
    for of, path in LISTS.items():
        _list(service, routes, of, path.removeprefix("/v1"))
    return routes


def _list(service: Service, routes: APIRouter, of: str, path: str) -> None:
    @routes.get(path, tags=["lists"], dependencies=[allow(service, LIST_READ)], name=f"list_{of}")
    async def list_entries(query: Annotated[ListFilter, Query()]) -> Response:
        """Entries by name; what is retired is no longer offered, and refused for new leads.

        `open`: the list suggests, a lead may have any other value.
        """
        position, register = await seen(service, query)
        entries = register.references[of]
        return page(service, query, position, entries, reference_json, open=of in OPEN)


async def seen(service: Service, query: Read) -> tuple[int, Register]:
    """A position of the log and the register at least as of there; 503 before `min_position`."""
    position = await service.reads.head()
    if position < (query.min_position or 0):
        raise unavailable(f"the log ends at position {position}")
    return position, await service.registry.latest()


def page(
    service: Service,
    query: Page,
    position: int,
    entries: Mapping[str, Any],
    render: Render,
    **also: Any,
) -> Response:
    """A page of the entries that have the query's values, by name; the answer says `also`."""
    limit = at_most(query.limit, service)
    after = decode_cursor(query.cursor, str) if query.cursor else ""
    wanted = query.model_dump(exclude=set(Page.model_fields), exclude_none=True)
    names = sorted(
        name
        for name, entry in entries.items()
        if name > after and all(getattr(entry, field) == v for field, v in wanted.items())
    )[:limit]
    items = [render(entries[name]) for name in names]
    return listed(items, position, limit, names[-1] if names else None, **also)


def one(position: int, entries: Mapping[str, Any], name: str, render: Render) -> Response:
    """The entry of this name."""
    entry = entries.get(name)
    if entry is None:
        raise not_found()
    return answer(render(entry), position, ETag=f'"{entry.version}"')
