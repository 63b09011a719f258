"""What people say of leads and the company's lists and teams have to agree on (R20, R21, R5).

Source, industry and region are open lists: they suggest, and any other value will do. What was
retired is no longer entered by people; forms, webhooks and imports say what they always said.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from aggregates.directory.references import OPEN
from aggregates.event import Event
from aggregates.lead.state import Lead
from aggregates.refusal import Refusal
from commands.lead.wiring import Facts, Judgement
from commands.loop import Beside, Held

ALIKE = 0.5


def require_team(team: str | None, facts: Facts) -> None:
    """A team that a person names has to be there. A company without teams may name any."""
    known = facts.register.team_names
    if team and facts.caller.person and known and team not in known:
        close = get_close_matches(team, sorted(known), cutoff=ALIKE)
        hint = f"did you mean {' or '.join(close)}?" if close else "add it first"
        raise Refusal("unknown-team", f"there is no team {team}: {hint}", "team")


def of_the_lists(judged: Judgement, values: Mapping[str, Any], facts: Facts) -> Judgement:
    """The judgement, unless a person enters what was retired; what a lead has already it keeps."""
    retired = {field: values[field] for field in OPEN if _is_retired(field, values, facts)}
    decide = judged.decide
    if not retired or not facts.caller.person or isinstance(decide, Beside):
        return judged

    def offered(lead: Lead, held: Held) -> Sequence[Event]:
        for field, value in retired.items():
            if lead.profile.get(field) != value:
                raise _refusal(field, value, facts)
        return decide(lead, held)

    return judged._replace(decide=offered)


def _is_retired(field: str, values: Mapping[str, Any], facts: Facts) -> bool:
    entry = facts.register.references[field].get(values.get(field) or "")
    return entry is not None and not entry.active


def _refusal(field: str, value: str, facts: Facts) -> Refusal:
    entries = facts.register.references[field].items()
    offered = ", ".join(name for name, entry in entries if entry.active)
    return Refusal(
        "retired-entry", f"{value} is no longer offered: choose another, such as {offered}", field
    )
