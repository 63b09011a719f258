"""The rules in force from the first start: the brief's values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FollowUpQuality:
    """What makes a follow-up concrete (R57, A18). Lengths in characters."""

    minimum_length: int = 6
    vague_phrases: frozenset[str] = frozenset(
        {"已沟通", "已联系", "沟通过了", "联系过了", "跟进中", "已跟进", "打过电话", "已电话沟通"}
    )


FOLLOW_UP_QUALITY = FollowUpQuality()

CONTRACT_SIGNED, FIRST_ORDER = "contract_signed", "first_order"
CONVERSION_BASES = frozenset({CONTRACT_SIGNED})
"""One standard for conversion (R70, A19)."""
