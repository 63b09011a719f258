"""Rules for the work on a lead: pipeline, follow-ups, attachments, pauses, conversion, clean-up."""

from dataclasses import dataclass
from typing import Literal

from aggregates.lead.state import PIPELINE, WON
from aggregates.policy.checks import DAYS, HOURS, above_zero, above_zero_up_to, named_apart, some

Basis = Literal["contract_signed", "first_order"]
CONTRACT_SIGNED: Basis = "contract_signed"
FIRST_ORDER: Basis = "first_order"


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowOnTask:
    """Entering `stage` makes this due so many days later (R53)."""

    stage: str
    task: str
    after_days: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Pipeline:
    """The stages a lead may be moved to, in order (R52). The first is entered by capture, the
    second by assignment, the third by the first connected follow-up, the last by conversion.
    """

    stages: tuple[str, ...] = PIPELINE
    backward: bool = True
    skipping: bool = True
    tasks: tuple[FollowOnTask, ...] = (FollowOnTask(stage="方案提交", task="回访", after_days=3),)

    def __post_init__(self) -> None:
        if self.stages[:3] != PIPELINE[:3] or self.stages[-1:] != (WON,):
            raise ValueError(f"a pipeline begins {', '.join(PIPELINE[:3])} and ends {WON}")
        if len(set(self.stages)) < len(self.stages):
            raise ValueError("a stage stands twice in the pipeline")
        for task in self.tasks:
            if task.stage not in self.stages or not 0 < task.after_days <= DAYS:
                raise ValueError(f"task {task.task}: a stage of the pipeline and 1 to {DAYS} days")


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowUpQuality:
    """What makes a follow-up concrete (R57, A18). Lengths in characters, spaces not counted."""

    verdict: Literal["reject", "warn"] = "reject"
    minimum_length: int = 6
    vague_phrases: frozenset[str] = frozenset(
        {"已沟通", "已联系", "沟通过了", "联系过了", "跟进中", "已跟进", "打过电话", "已电话沟通"}
    )
    feedback_or_next_step: bool = True
    late_recording_after_hours: int = 24

    def __post_init__(self) -> None:
        above_zero(minimum_length=self.minimum_length)
        above_zero_up_to(HOURS, late_recording_after_hours=self.late_recording_after_hours)


@dataclass(frozen=True, kw_only=True, slots=True)
class AttachmentRules:
    """Attachments are named company-document-yyyymmdd (R55, A16); sizes in bytes."""

    verdict: Literal["reject", "warn"] = "reject"
    max_bytes: int = 20_000_000
    max_per_lead: int = 100
    content_types: tuple[str, ...] = (
        "application/pdf",
        "image/jpeg",
        "image/png",
        "text/plain",
        "text/csv",
        "application/zip",
        "application/msword",
        "application/vnd.ms-excel",
        "application/vnd.ms-powerpoint",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    )

    def __post_init__(self) -> None:
        above_zero(max_bytes=self.max_bytes, max_per_lead=self.max_per_lead)


@dataclass(frozen=True, kw_only=True, slots=True)
class ConversionRules:
    """What counts as a conversion (R60, R70, A19)."""

    bases: tuple[Basis, ...] = (CONTRACT_SIGNED,)
    amount_required: bool = False

    def __post_init__(self) -> None:
        if not self.bases:
            raise ValueError(f"bases is empty: name {CONTRACT_SIGNED} or {FIRST_ORDER}")


@dataclass(frozen=True, kw_only=True, slots=True)
class PauseRules:
    """How long a lead may stand still (R107, A26)."""

    max_days: int = 90

    def __post_init__(self) -> None:
        above_zero_up_to(DAYS, max_days=self.max_days)


@dataclass(frozen=True, kw_only=True, slots=True)
class CleanUp:
    """Which leads the month-end proposes to invalidate, and the reasons there are (R100, R101)."""

    reasons: tuple[str, ...] = ("联系方式错误", "客户明确拒绝", "无需求", "竞争对手成交", "其他")
    wrong_number_attempts: int = 2
    silent_days: int = 90

    def __post_init__(self) -> None:
        named_apart("reasons", self.reasons)
        some("reasons", self.reasons)
        above_zero(wrong_number_attempts=self.wrong_number_attempts)
        above_zero_up_to(DAYS, silent_days=self.silent_days)
