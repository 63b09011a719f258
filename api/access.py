"""Who may do what: the one place where role and action meet (R114-R118, A27, A28).

An action that is not in the table is allowed to nobody.
"""

from collections.abc import Mapping

from api.problems import Problem
from commands.caller import Principal

SALES, SUPERVISOR, MARKETING = "sales", "supervisor", "marketing"
ADMIN, ANALYST, AUDITOR = "admin", "analyst", "auditor"

_WORK = frozenset({SALES, SUPERVISOR, ADMIN})
_LEAD = frozenset({SUPERVISOR, ADMIN})
_ALL = _WORK | {MARKETING, ANALYST, AUDITOR}

ALLOWED: Mapping[str, frozenset[str]] = {
    "lead.capture": _WORK | {MARKETING},
    "lead.read": _WORK | {MARKETING, AUDITOR},
    "attachment.read": _WORK | {MARKETING},
    "lead.complete-info": _WORK | {MARKETING},
    "lead.label": _WORK | {MARKETING},
    "lead.clear-label": _WORK | {MARKETING},
    "lead.merge": _LEAD | {MARKETING},
    "lead.unmerge": _LEAD | {MARKETING},
    "lead.dismiss-duplicate": _LEAD | {MARKETING},
    "duplicates.read": _LEAD | {MARKETING},
    "lead.assign": _LEAD | {MARKETING},
    "lead.hand-over": _WORK,
    "lead.release": _WORK,
    "lead.claim": _WORK,
    "lead.advance": _WORK,
    "lead.follow-up": _WORK,
    "lead.late-reason": _WORK,
    "lead.attach": _WORK,
    "lead.share": _WORK,
    "lead.screen": frozenset({MARKETING, ADMIN}),
    "lead.pause": _WORK,
    "lead.resume": _WORK,
    "lead.invalidate": _WORK | {MARKETING},
    "lead.reopen": _LEAD,
    "lead.reveal": _WORK,
    "lead.erase": frozenset({ADMIN}),
    "lead.convert": _WORK,
    "lead.reverse-conversion": _LEAD,
    "directory.read": _LEAD | {AUDITOR},
    "directory.change": frozenset({ADMIN}),
    "directory.absence": _LEAD,
    "directory.hand-over": _LEAD,
    "notifications.read": _ALL,
    "notifications.prefer": _ALL,
    "notifications.dead": frozenset({ADMIN}),
    "task.read": _WORK | {MARKETING, AUDITOR},
    "escalation.read": _LEAD | {AUDITOR},
    "pool.read": _WORK,
    "list.read": _ALL,
    "list.change": frozenset({ADMIN}),
    "policy.read": _LEAD | {ANALYST, AUDITOR},
    "policy.activate": frozenset({ADMIN}),
    "calendar.read": _ALL,
    "review.read": _LEAD | {AUDITOR},
    "review.close": _LEAD,
    "cleanup.read": _LEAD | {AUDITOR},
    "cleanup.decide": _LEAD,
    "session.open": _ALL,
    "session.own": _ALL,
    "tokens.read": _ALL,
    "tokens.create": frozenset({ADMIN}),
    "tokens.revoke": _ALL,
    "privacy.accesses": _LEAD | {AUDITOR},
    "privacy.erasures": frozenset({ADMIN, AUDITOR}),
    "audit.read": frozenset({ADMIN, AUDITOR}),
    "metrics.read": frozenset({ADMIN, ANALYST, AUDITOR}),
    "webhooks.read": frozenset({ADMIN, AUDITOR}),
    "webhooks.change": frozenset({ADMIN}),
    "report.read": _LEAD | {MARKETING, ANALYST, AUDITOR},
}


def require(principal: Principal, action: str) -> None:
    """Raise the problem 403 unless the person's role allows the action."""
    if principal.role not in ALLOWED.get(action, ()):
        raise Problem(403, "forbidden", f"your role, {principal.role}, may not do {action}")


def require_giving(principal: Principal, owner: str | None) -> None:
    """Whoever enters a lead for somebody else must be one who may assign (R114)."""
    if owner not in (None, "", principal.name):
        require(principal, "lead.assign")
