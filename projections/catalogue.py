"""Every projection of the product, in the order in which a worker advances them."""

from collections.abc import Mapping

from projections import (
    accesses,
    assignments,
    attachments,
    conversions,
    duplicates,
    follow_ups,
    leads,
    notifications,
    reviewing,
    reviews,
    sla,
    stages,
    tasks,
    workload,
)
from projections.base import Projection

PROJECTIONS: Mapping[str, Projection] = {
    p.name: p
    for p in (
        leads.PROJECTION,
        follow_ups.PROJECTION,
        stages.PROJECTION,
        conversions.PROJECTION,
        attachments.PROJECTION,
        duplicates.PROJECTION,
        workload.PROJECTION,
        tasks.PROJECTION,
        reviewing.PROJECTION,
        reviews.PROJECTION,
        notifications.PROJECTION,
        sla.PROJECTION,
        assignments.PROJECTION,
        accesses.PROJECTION,
    )
}
