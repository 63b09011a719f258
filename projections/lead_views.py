"""What analysts see of the leads in SQL: `report.leads`, `report.conversion`, `report.cycle_time`.

Masked and without contact names or free text. The two figures' views have one row per dimension,
bucket and cohort month, by the rules of the reports of the same names.
"""

from projections.base import View

# The company's zone, in which months begin.
ZONE = "coalesce((SELECT value FROM log.company WHERE name = 'timezone'), 'Asia/Shanghai')"
MONTH = f"coalesce(to_char(l.captured_at AT TIME ZONE {ZONE}, 'YYYY-MM'), '(missing)')"

DIMENSIONS = (
    "source", "industry", "region", "customer_type", "team", "level", "segment", "campaign",
)  # fmt: skip
# A lead once under each dimension; owners at the conversion, as the reports do by default.
BUCKETS = (
    "CROSS JOIN LATERAL (VALUES ('all', 'all'),"
    " ('owner', CASE WHEN l.converted THEN l.owner_at_conversion ELSE l.owner END), "
    + ", ".join(f"('{name}', l.{name})" for name in DIMENSIONS)
    + ") AS d (dimension, value)"
)
GROUPED = (
    f"FROM {{rows}} l {BUCKETS} WHERE l.captured"
    f" GROUP BY d.dimension, coalesce(nullif(d.value, ''), '(missing)'), {MONTH}"
)
KEYS = f"d.dimension, coalesce(nullif(d.value, ''), '(missing)') AS bucket, {MONTH} AS cohort_month"
KEY_COMMENTS = {
    "dimension": "What the leads are grouped by; 'all' groups everything.",
    "bucket": "The value of the dimension; '(missing)' where a lead has none.",
    "cohort_month": "Local month of capture, YYYY-MM; '(missing)' where it is unknown.",
}
# Calendar days from capture to conversion in the company's zone; elapsed days beside them.
CALENDAR = f"(l.converted_at AT TIME ZONE {ZONE})::date - (l.captured_at AT TIME ZONE {ZONE})::date"
ELAPSED = "extract(epoch FROM l.converted_at - l.captured_at)::float8 / 86400"

LEADS = View(
    name="leads",
    comment="Leads (table 1), one row each: masked, without contact names and free text.",
    query=(
        "SELECT lead, code, source_system, external_id, customer, phone, email, source, industry,"
        " region, customer_type, campaign, level, segment, label_overridden, owner, team,"
        " first_owner, pool, unassignable, screened, stage,"
        " CASE WHEN cardinality(missing) = 0 THEN 'complete' ELSE 'incomplete' END AS completeness,"
        " missing,"
        " CASE WHEN paused THEN 'paused' ELSE 'active' END AS activity, paused_since,"
        " resume_at, paused_seconds,"
        " CASE WHEN merged THEN 'merged' WHEN converted THEN 'converted'"
        " WHEN invalidated THEN 'invalid' ELSE 'open' END"
        " AS disposition, captured_at, first_assigned_at, first_attempt_at, first_response_at,"
        " follow_ups, converted_at, owner_at_conversion, basis, amount, invalidated_at,"
        " invalid_reason, attributes || masked_attributes AS attributes, erased_at, version,"
        " position"
        " FROM {rows} l WHERE captured"
    ),
    scoped="leads",
    columns={
        "lead": "The lead's stream id.",
        "code": "Lead code, XLSHyyyymmddNNN.",
        "external_id": "The source's own id of an imported lead.",
        "phone": "Masked: the four digits before the last four are hidden.",
        "email": "Masked: first character and domain.",
        "owner": "The person responsible now.",
        "first_owner": "The first person responsible.",
        "label_overridden": "Whether a person set level and segment.",
        "pool": "The pool that the lead waits in for somebody to claim it.",
        "unassignable": "Whether the rules found nobody, and nobody has it since.",
        "screened": "Whether marketing accepted or rejected it; null = it has not judged.",
        "completeness": "complete, or incomplete: 待补充.",
        "missing": "What makes it incomplete.",
        "activity": "active, or paused: 暂缓.",
        "paused_since": "When the pause that lasts began.",
        "resume_at": "When it is to end.",
        "paused_seconds": "How long the pauses that are over lasted together.",
        "owner_at_conversion": "The person responsible when the lead was converted.",
        "captured_at": "When the lead entered; null = unknown.",
        "erased_at": "Since when its personal values are erased.",
        "first_response_at": "First connected follow-up.",
        "first_attempt_at": "First follow-up of any outcome.",
        "amount": "Deal amount in the company currency.",
        "attributes": "Further values; '(hidden)' for a text that is not from a history file.",
        "version": "Number of the lead's events.",
        "position": "Log position of the lead's last event.",
    },
)

CONVERSION = View(
    name="conversion",
    comment="Conversion per dimension, bucket and cohort month; merged duplicates do not count.",
    query=(
        f"SELECT {KEYS}, count(*) FILTER (WHERE NOT l.merged) AS leads,"
        " count(*) FILTER (WHERE l.converted AND NOT l.merged) AS converted,"
        " count(*) FILTER (WHERE l.invalidated AND NOT l.converted AND NOT l.merged) AS lost,"
        " count(*) FILTER (WHERE NOT l.invalidated AND NOT l.converted AND NOT l.merged) AS open,"
        " count(*) FILTER (WHERE l.merged) AS merged,"
        " round(count(*) FILTER (WHERE l.converted AND NOT l.merged)::numeric"
        " / nullif(count(*) FILTER (WHERE NOT l.merged), 0), 6) AS rate,"
        " coalesce(sum(l.amount) FILTER (WHERE l.converted AND NOT l.merged), 0)::numeric(20, 2)"
        f" AS amount {GROUPED}"
    ),
    scoped="leads",
    columns={
        **KEY_COMMENTS,
        "leads": "Captured leads: the rate's denominator.",
        "converted": "Those that stand converted: the numerator.",
        "lost": "Those that are invalid and not converted.",
        "open": "The others.",
        "merged": "Merged duplicates, which count nowhere else.",
        "rate": "converted / leads.",
        "amount": "Deal amounts of the converted, company currency.",
    },
)

CYCLE_TIME = View(
    name="cycle_time",
    comment="Days from capture to conversion per dimension, bucket and cohort month.",
    query=(
        f"SELECT {KEYS}, count(*) AS n, count(*) FILTER (WHERE {ELAPSED} < 0) AS n_negative,"
        f" round(avg({CALENDAR}), 6) AS calendar_mean,"
        f" percentile_cont(0.5) WITHIN GROUP (ORDER BY {CALENDAR}) AS calendar_median,"
        f" percentile_cont(0.9) WITHIN GROUP (ORDER BY {CALENDAR}) AS calendar_p90,"
        f" avg({ELAPSED}) AS elapsed_mean,"
        f" percentile_cont(0.5) WITHIN GROUP (ORDER BY {ELAPSED}) AS elapsed_median,"
        f" percentile_cont(0.9) WITHIN GROUP (ORDER BY {ELAPSED}) AS elapsed_p90 "
        + GROUPED.replace(
            "WHERE l.captured",
            "WHERE l.captured AND l.converted AND NOT l.merged"
            " AND l.captured_at IS NOT NULL AND l.converted_at IS NOT NULL",
        )
    ),
    scoped="leads",
    columns={
        **KEY_COMMENTS,
        "n": "Converted leads whose capture and conversion times are known.",
        "n_negative": "Those converted before their capture; they are kept in the figures.",
        "calendar_mean": "Mean difference of local dates, days.",
        "elapsed_mean": "Mean elapsed time, days of 86,400 s.",
    },
)

PLACES = View(
    name="places",
    comment="What decides who may see a lead.",
    query="SELECT lead, owner, team, pool, entered_by, shared_with FROM {schema}.leads",
    columns={},
    schema="scope",
)

VIEWS = (PLACES, LEADS, CONVERSION, CYCLE_TIME)
