"""The simulated company: where its leads come from, who works on them, and how. All invented."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """A channel: its share of the leads, and how readily they buy (1 = as the average)."""

    name: str
    share: float
    appeal: float


@dataclass(frozen=True, slots=True)
class Industry:
    """An industry: its share, its pace (days between steps), its typical deal in yuan, a need."""

    name: str
    share: float
    pace: float
    deal: int
    need: str


@dataclass(frozen=True, slots=True)
class Team:
    """A team answers for a region; its supervisor assigns, hands over and reopens."""

    name: str
    region: str
    share: float
    supervisor: str


@dataclass(frozen=True, slots=True)
class Rep:
    """A sales representative and their habits.

    `hours` to the first contact (median), `closing` skill (1 = average), `late_entry` = share of
    contacts that they record a day or two later, `leaves` = when they leave the company, as a
    share of the simulated time.
    """

    name: str
    team: Team
    hours: float
    closing: float
    late_entry: float
    weekends: bool = False
    leaves: float | None = None


SOURCES = (
    Source("官网注册", 0.38, 0.8),
    Source("展会咨询", 0.22, 1.1),
    Source("转介绍", 0.14, 1.5),
    Source("合作伙伴推荐", 0.12, 1.25),
    Source("电话咨询", 0.14, 0.65),
)
INDUSTRIES = (
    Industry("信息技术", 0.28, 3.0, 90_000, "需采购办公自动化系统,覆盖{n}个账号"),
    Industry("制造业", 0.30, 5.5, 160_000, "需要采购{n}台办公电脑,并希望与现有产线系统对接"),
    Industry("教育", 0.16, 4.5, 60_000, "计划建设在线教学平台,约{n}名学生使用"),
    Industry("服务业", 0.18, 2.5, 45_000, "希望统一{n}家门店的客户管理"),
    Industry("医疗", 0.08, 7.0, 220_000, "需要{n}个科室的预约与随访系统"),
)
TEAMS = (
    Team("华东团队", "华东", 0.40, "沈国华"),
    Team("华南团队", "华南", 0.28, "曾丽华"),
    Team("华北团队", "华北", 0.20, "彭志刚"),
    Team("西南团队", "西南", 0.12, "蒋晓梅"),
)
_EAST, _SOUTH, _NORTH, _WEST = TEAMS
REPS = (
    Rep("王建国", _EAST, 4, 1.2, 0.05), Rep("李秀英", _EAST, 9, 1.0, 0.10),
    Rep("张伟", _EAST, 20, 0.9, 0.30), Rep("刘洋", _EAST, 40, 0.7, 0.20),
    Rep("陈静", _EAST, 3, 1.4, 0.02, weekends=True), Rep("杨帆", _EAST, 12, 1.1, 0.10),
    Rep("赵敏", _EAST, 26, 0.8, 0.25, leaves=0.6), Rep("黄磊", _SOUTH, 7, 1.0, 0.15),
    Rep("周婷", _SOUTH, 15, 1.3, 0.05), Rep("吴昊", _SOUTH, 60, 0.6, 0.40),
    Rep("徐丽", _SOUTH, 5, 1.1, 0.08, weekends=True), Rep("孙鹏", _SOUTH, 18, 0.9, 0.12),
    Rep("马超", _NORTH, 10, 1.0, 0.18), Rep("朱琳", _NORTH, 30, 1.2, 0.10),
    Rep("胡军", _NORTH, 8, 0.8, 0.22), Rep("郭芳", _NORTH, 22, 1.0, 0.06),
    Rep("何勇", _WEST, 6, 1.2, 0.10), Rep("林娜", _WEST, 14, 0.9, 0.16),
    Rep("罗强", _WEST, 35, 0.7, 0.28), Rep("梁雪", _WEST, 11, 1.3, 0.04, weekends=True),
)  # fmt: skip
MARKETING = "韩雪梅"
"""Enters what comes in by telephone, at trade shows and by word of mouth, and assigns it."""

# Names, and their shares.
CUSTOMER_TYPES = (("企业", "政府机构", "个体"), (0.7, 0.1, 0.2))
SIZES = (("50人以下", "50-200人", "200-1000人", "1000人以上"), (0.35, 0.35, 0.2, 0.1))
CAMPAIGNS = ("春季推广", "行业峰会", "老客户回馈")
