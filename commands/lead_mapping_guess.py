"""A mapping proposed from the header of a file: Chinese and English names that people use.

The first column that fits a field gets it; what nobody can tell becomes an attribute under the
column's own name. It is a proposal: a person reads it before the import.
"""

import json
import re
import unicodedata
from collections.abc import Sequence

from commands.fields import MAX_ATTRIBUTES
from commands.lead_mapping import ATTRIBUTE, FIELDS, PUT_ASIDE

WORDS = {
    "customer": (
        "客户名称 客户全称 客户 公司 公司名称 公司全称 企业 企业名称 单位"
        " 单位名称 线索名称 客户姓名"
        " company companyname customer customername account accountname organization"
        " organisation business"
    ),
    "contact": (
        "联系人 联系人姓名 姓名 名字 对接人 客户联系人"
        " contact contactname contactperson name fullname leadname"
    ),
    "contact_title": "职位 职务 岗位 头衔 联系人职务 联系人职位 title jobtitle position role",
    "phone": (
        "手机 手机号 手机号码 联系电话 电话 电话号码 联系方式 移动电话"
        " phone phonenumber mobile mobilephone telephone tel cell cellphone"
    ),
    "email": "邮箱 电子邮箱 邮件 电子邮件 邮箱地址 email emailaddress mail",
    "source": "来源 线索来源 客户来源 渠道 来源渠道 获客渠道 source leadsource channel origin",
    "industry": "行业 所属行业 客户行业 industry sector",
    "region": (
        "地区 区域 省份 省 所在地 所在地区 所属区域 城市 region area province state territory city"
    ),
    "customer_type": "客户类型 客户类别 类型 客户性质 customertype type accounttype",
    "campaign": "活动 市场活动 营销活动 推广计划 campaign campaignname",
    "need": "需求 需求描述 客户需求 采购需求 咨询内容 need needs requirement requirements",
    "owner": (
        "负责人 跟进人 销售 销售代表 所属销售 归属人 业务员 owner leadowner salesperson assignee"
    ),
    "team": "团队 部门 销售团队 所属部门 team department",
}
KEYS = frozenset((
    "客户编号", "线索编号", "编号", "线索id", "客户id",
    "id", "leadid", "leadno", "recordid", "customerid", "externalid", "uuid",
))  # fmt: skip
IGNORED = frozenset(("序号", "行号", "no", "rownumber"))
_MEANT = {word: name for name, words in WORDS.items() for word in words.split()}
assert WORDS.keys() <= set(FIELDS), "a field that the capture command does not have"


def guess(header: Sequence[str]) -> str:
    """The text of a mapping for a file with this header, in TOML."""
    named = [column for column in header if column and column not in PUT_ASIDE]
    keys = [column for column in named if _plain(column) in KEYS][:1]
    ignored = [column for column in named if _plain(column) in IGNORED]
    fields: dict[str, str] = {}
    for column in named:
        name = _MEANT.get(_plain(column))
        if name and name not in fields.values():
            fields[column] = name
    rest = [column for column in named if column not in {*keys, *ignored, *fields}]
    lines = [*_head(keys, ignored), "", "[columns]"]
    lines += [f"{_quoted(column)} = {_quoted(name)}" for column, name in fields.items()]
    if "customer" not in fields.values():
        lines.append(
            '# No column looks like the customer\'s name, which is needed: "…" = "customer"'
        )
    if rest:
        lines.append(
            "# Kept as attributes of the lead; what is not wanted goes into ignore = [...]:"
        )
    for number, column in enumerate(rest, 1):
        beyond = "# " if number > MAX_ATTRIBUTES else ""
        lines.append(f"{beyond}{_quoted(column)} = {_quoted(ATTRIBUTE + column)}")
    return "\n".join(lines) + "\n"


def _head(keys: Sequence[str], ignored: Sequence[str]) -> list[str]:
    key = (
        f"key = {_quoted(keys[0])}  # names a row for ever"
        if keys
        else "# key = […]  # columns that name a row for ever; without them all of the row does"
    )
    columns = ", ".join(map(_quoted, ignored))
    return [key, f"ignore = [{columns}]"] if ignored else [key]


def _plain(column: str) -> str:
    """The name without case, marks such as * and what stands in parentheses."""
    text = unicodedata.normalize("NFKC", column).casefold()
    return re.sub(r"[\W_]", "", re.sub(r"\(.*?\)", "", text))


def _quoted(text: str) -> str:
    """A basic string of TOML, whose escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
