"""Rules for what enters: completeness, labelling, duplicates, screening."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from aggregates.lead.events import PROFILE
from aggregates.policy.checks import MINUTES, above_zero_up_to, named_apart

Level = Literal["high", "medium", "low", "unrated"]
"""Intent; only the level drives time limits (A5)."""
LEVELS: tuple[Level, ...] = ("high", "medium", "low", "unrated")


@dataclass(frozen=True, kw_only=True, slots=True)
class Completeness:
    """What a lead must say (R26-R28). Of `contact_details` one is enough."""

    required: tuple[str, ...] = (
        "customer",
        "contact",
        "contact_title",
        "source",
        "industry",
        "need",
    )
    contact_details: tuple[str, ...] = ("phone", "email")
    complete_within_minutes: int = 120
    blocks_assignment: bool = False

    def __post_init__(self) -> None:
        unknown = {*self.required, *self.contact_details} - set(PROFILE)
        if unknown:
            raise ValueError(f"{min(unknown)} is no field of a lead: use {', '.join(PROFILE)}")
        above_zero_up_to(MINUTES, complete_within_minutes=self.complete_within_minutes)

    @property
    def complete_within(self) -> timedelta:
        """How long 待补充 may stand (R28)."""
        return timedelta(minutes=self.complete_within_minutes)


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelRule:
    """Matches a lead of one of `sources` (empty = any) whose need contains one of `any_of`
    (empty = anything) and none of `none_of`. Keywords match anywhere: Chinese has no word borders.
    """

    name: str
    level: Level
    segment: str | None = None
    sources: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Labelling:
    """Ordered rules, the first match gives the label; none = unrated (R23, R24)."""

    rules: tuple[LabelRule, ...] = (
        LabelRule(
            name="rejects",
            level="low",
            segment="潜在需求",
            any_of=("暂不", "暂无", "以后再", "明年再"),
        ),
        LabelRule(
            name="decides",
            level="high",
            segment="决策层",
            any_of=("总经理", "董事长", "负责人", "老板", "决策"),
        ),
        LabelRule(
            name="buys",
            level="high",
            segment="采购决策",
            any_of=("采购", "购买", "报价", "招标", "签约", "合同", "预算"),
        ),
        LabelRule(
            name="informs",
            level="medium",
            segment="信息收集",
            any_of=("了解", "咨询", "案例", "资料", "对比", "试用", "演示"),
        ),
        LabelRule(
            name="recommended",
            level="medium",
            segment="信息收集",
            sources=("转介绍", "合作伙伴", "合作伙伴推荐"),
        ),
        LabelRule(
            name="fair",
            level="low",
            segment="潜在需求",
            sources=("展会", "展会咨询", "行业展会"),
        ),
    )

    def __post_init__(self) -> None:
        named_apart("labelling rules", (rule.name for rule in self.rules))


@dataclass(frozen=True, kw_only=True, slots=True)
class Duplicates:
    """What makes two leads one (R2, A1): equal contact details for certain, an equal company
    name possibly.
    """

    certain: tuple[Literal["phone", "email"], ...] = ("phone", "email")
    possible: tuple[Literal["customer"], ...] = ("customer",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Screening:
    """Leads of these sources wait for marketing before sales gets them (R118, A28)."""

    sources: tuple[str, ...] = ()
    rejection_reasons: tuple[str, ...] = ("联系方式错误", "无需求", "非目标客户", "重复线索")
