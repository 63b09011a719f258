"""The simulated company: where its leads come from, who works on them, and how."""

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
class Rep:
    """A sales representative and their habits.

    `hours` to the first contact (median), `closing` skill (1 = average), `late_entry` = share of
    contacts that they record a day or two later.
    """

    name: str
    team: str
    region: str
    hours: float
    closing: float
    late_entry: float


SOURCES = (
    Source("官网注册", 0.38, 0.8),
    Source("展会咨询", 0.22, 1.2),
    Source("转介绍", 0.14, 1.7),
    Source("合作伙伴推荐", 0.12, 1.3),
    Source("电话咨询", 0.14, 0.9),
)
INDUSTRIES = (
    Industry("信息技术", 0.28, 3.0, 90_000, "需采购办公自动化系统,覆盖{n}个账号"),
    Industry("制造业", 0.30, 6.5, 160_000, "需要采购{n}台办公电脑,并希望与现有产线系统对接"),
    Industry("教育", 0.16, 5.0, 60_000, "计划建设在线教学平台,约{n}名学生使用"),
    Industry("服务业", 0.18, 2.5, 45_000, "希望统一{n}家门店的客户管理"),
    Industry("医疗", 0.08, 8.0, 220_000, "需要{n}个科室的预约与随访系统"),
)
# Names, and their shares.
REGIONS = (("华东", "华南", "华北", "西南"), (0.4, 0.28, 0.2, 0.12))
CUSTOMER_TYPES = (("企业", "政府机构", "个体"), (0.7, 0.1, 0.2))
CAMPAIGNS = ("春季推广", "行业峰会", "老客户回馈")

_HABITS = (
    ("王建国", 4, 1.2, 0.05), ("李秀英", 9, 1.0, 0.10), ("张伟", 20, 0.9, 0.30),
    ("刘洋", 40, 0.7, 0.20), ("陈静", 3, 1.4, 0.02), ("杨帆", 12, 1.1, 0.10),
    ("赵敏", 26, 0.8, 0.25), ("黄磊", 7, 1.0, 0.15), ("周婷", 15, 1.3, 0.05),
    ("吴昊", 60, 0.6, 0.40), ("徐丽", 5, 1.1, 0.08), ("孙鹏", 18, 0.9, 0.12),
    ("马超", 10, 1.0, 0.18), ("朱琳", 30, 1.2, 0.10), ("胡军", 8, 0.8, 0.22),
    ("郭芳", 22, 1.0, 0.06), ("何勇", 6, 1.2, 0.10), ("林娜", 14, 0.9, 0.16),
    ("罗强", 35, 0.7, 0.28), ("梁雪", 11, 1.3, 0.04),
)  # fmt: skip
REPS = tuple(
    Rep(name, f"{REGIONS[0][n % 4]}团队", REGIONS[0][n % 4], hours, closing, late)
    for n, (name, hours, closing, late) in enumerate(_HABITS)
)

METHODS = ("电话沟通", "面谈", "邮件", "微信")
TALKS = (
    ("客户对产品A功能感兴趣,要求提供案例", "需要下周前提供报价单", "发送同行业案例与报价"),
    ("介绍了部署方式和售后服务,客户关注数据安全", "希望看到安全白皮书", "发送安全白皮书并约演示"),
    ("与客户IT负责人确认了现有系统和对接范围", "预算需上报总经理审批", "准备方案初稿"),
    ("现场演示了核心流程,客户提出三处定制需求", "整体满意,价格偏高", "评估定制工作量并调整报价"),
    ("沟通合同条款,主要讨论付款方式和验收标准", "希望分三期付款", "法务确认后回传合同"),
    ("客户正在与另外一家供应商比较,重点在实施周期", "要求缩短上线时间", "与实施团队确认排期"),
)
NO_ANSWER = ("客户未接听", "客户出差,助理接听")
LOST = ("联系方式错误", "客户明确拒绝", "预算取消", "已选择其他供应商", "重复询价")
SURNAMES = "王李张刘陈杨赵黄周吴徐孙马朱胡郭何林罗梁宋郑谢韩唐冯于董萧程"
COMPANIES = ("华信", "远景", "中科", "金桥", "东方", "博雅", "天成", "启明", "海纳", "恒通", "鼎新")
KINDS = (
    "科技有限公司",
    "实业有限公司",
    "教育集团",
    "制造有限公司",
    "信息服务有限公司",
    "医疗管理公司",
)
TITLES = ("采购经理", "总经理", "IT主管", "运营总监", "行政主管", "")
