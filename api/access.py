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

ALLOWED: Mapping[str, frozenset[str]] = {
    "lead.capture": _WORK | {MARKETING},
    "lead.read": _WORK | {MARKETING, AUDITOR},
    "lead.assign": _LEAD | {MARKETING},
    "lead.advance": _WORK,
    "lead.follow-up": _WORK,
    "lead.invalidate": _WORK | {MARKETING},
    "lead.reopen": _LEAD,
    "lead.convert": _WORK,
    "lead.reverse-conversion": _LEAD,
    "report.read": _LEAD | {MARKETING, ANALYST, AUDITOR},
}


def require(principal: Principal, action: str) -> None:
    """Raise the problem 403 unless the person's role allows the action."""
    if principal.role not in ALLOWED.get(action, ()):
        raise Problem(403, "forbidden", f"your role, {principal.role}, may not do {action}")
