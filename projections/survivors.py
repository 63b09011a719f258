"""Under which lead a merged one counts, in SQL over `leads` (A1).

A merged lead may be merged into one that was merged later: the survivor is the last of the chain.
Only merged leads take the way up, and they are few.
"""


def survivor(alias: str) -> str:
    """The lead under which the lead of this alias counts: itself, unless it is merged."""
    return f"""CASE WHEN NOT {alias}.merged THEN {alias}.lead ELSE (
  WITH RECURSIVE up (lead, target) AS (
    SELECT {alias}.lead, {alias}.merged_into
    UNION SELECT p.lead, p.merged_into FROM up JOIN leads p ON p.lead = up.target
  ) SELECT up.lead FROM up WHERE up.target IS NULL) END"""


ABSORBED = f"""(
  SELECT {survivor("m")} AS survivor, array_agg(m.lead) AS leads,
         min(m.first_attempt_at) AS first_attempt_at, min(m.first_response_at) AS first_response_at
  FROM leads m WHERE m.merged GROUP BY 1
)"""
"""The leads merged into each survivor, and the first contacts with any of them."""

ABSORBED_OWNERS = f"""(
  SELECT {survivor("m")} AS survivor, array_agg(DISTINCT o.owner) AS owners
  FROM leads m CROSS JOIN LATERAL unnest(m.owners) AS o (owner) WHERE m.merged GROUP BY 1
)"""
"""Everybody who ever owned one of the leads merged into each survivor."""
