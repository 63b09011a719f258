"""A CSV of made-up leads with faults of ten kinds, each remembered with its line: for one seed and
size always the same file.

Telephone numbers have 0000 where the subscriber's block stands, which no operator gives out.
"""

import csv
import io
import random
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

MAPPING = """
key = "客户编号"
ignore = ["备注"]
only_listed = ["source"]

[columns]
"公司名称" = "customer"
"联系人" = "contact"
"职位" = "contact_title"
"手机" = "phone"
"邮箱" = "email"
"来源" = "source"
"行业" = "industry"
"地区" = "region"
"需求" = "need"
"规模" = "attributes.规模"

[types]
"规模" = "number"

[values.source]
"网站" = "官网注册"
"展会" = "展会咨询"
"介绍" = "转介绍"
"""
HEADER = (
    "客户编号", "公司名称", "联系人", "职位", "手机", "邮箱",
    "来源", "行业", "地区", "需求", "规模", "备注",
)  # fmt: skip
KINDS = {
    "no customer": "公司名称",
    "too long": "职位",
    "phone": "手机",
    "e-mail": "邮箱",
    "unknown word": "来源",
    "number": "规模",
    "key": "客户编号",
    "bytes": "",
    "open quote": "",
    "cells": "",
}
"""The ten kinds of faults and the column that is to blame, "" = none."""
SURNAMES = "王李张刘陈杨赵黄周吴徐孙马朱胡郭何林罗梁宋郑谢韩唐冯于董萧程"
NAMES = "澄岚沐禾砚栎朔汀阑蔚屿舟笙野棠川旻嵘霁柘"
REGIONS = ("华东", "华南", "华北", "华中", "西南", "西北", "东北")
INDUSTRIES = ("信息技术", "制造业", "服务业", "教育", "金融", "零售")
NEEDS = ("需采购办公自动化系统", "了解产品资料", "咨询报价与合同", "暂不采购", "希望看到同行业案例")
MOBILE = [f"1{a}{b}" for a in "3589" for b in range(10)]


class Planted(NamedTuple):
    """A fault: on which line its row starts, of which kind."""

    line: int
    kind: str


def write(
    path: Path, rows: int, *, seed: int, faults: float = 0.03, encoding: str = "utf-8"
) -> list[Planted]:
    """Write a file of so many rows; the faults in it, in the order of their lines."""
    planted, line = [], 2
    with path.open("wb") as file:
        file.write(_bytes(HEADER, encoding))
        for kind, row in _rows(rows, random.Random(seed), faults):
            content = _broken(kind, _bytes(row, encoding)) if kind else _bytes(row, encoding)
            file.write(content)
            if kind:
                planted.append(Planted(line, kind))
            line += content.count(b"\n")
    return planted


def _rows(size: int, rng: random.Random, faults: float) -> Iterator[tuple[str | None, list[str]]]:
    """Rows with the kind of their fault. 1 in 50 has an earlier one's number. Any ten faults in
    turn are of ten kinds, so that a small file has them all.
    """
    kinds, good = cycle(rng.sample(list(KINDS), len(KINDS))), [0]
    for number in range(size):
        row = _row(number, rng)
        draw = rng.random()
        if number and draw < 0.02:
            row[4] = _phone(rng.randrange(number))
        kind = None
        if number and rng.random() < faults:
            kind = next(kinds)
            _spoil(kind, row, rng, rng.choice(good))
        else:
            good.append(number)
        yield kind, row


def _row(number: int, rng: random.Random) -> list[str]:
    name = "".join(rng.choice(NAMES) for _ in range(4))
    note = "第一行\n第二行" if rng.random() < 0.02 else "备注, 有逗号" if rng.random() < 0.1 else ""
    return [
        f"K{number:07d}",
        f"{rng.choice(REGIONS)}{name}科技有限公司",
        rng.choice(SURNAMES) + rng.choice(("先生", "女士")),
        rng.choice(("采购经理", "总经理", "IT主管", "运营总监")),
        _phone(number),
        f"buyer{number}@example.cn" if rng.random() < 0.5 else "",
        rng.choice(("网站", "展会", "介绍", "官网注册")),
        rng.choice(INDUSTRIES),
        rng.choice(REGIONS),
        rng.choice(NEEDS),
        str(rng.randrange(5, 5000)),
        note,
    ]


def _phone(number: int) -> str:
    block, rest = divmod(number, 10_000)
    return f"{MOBILE[block % len(MOBILE)]}0000{rest:04d}"


def _spoil(kind: str, row: list[str], rng: random.Random, good: int) -> None:
    """`good`: an earlier row without a fault."""
    match kind:
        case "no customer":
            row[1] = " "
        case "too long":
            row[3] = "采购" * 51
        case "phone":
            row[4] = rng.choice(("12345", "无", "1.39E+10"))
        case "e-mail":
            row[5] = rng.choice(("buyer", "a b@example.cn", "a@@example.cn"))
        case "unknown word":
            row[6] = "天上掉下来"
        case "number":
            row[10] = "很多"
        case "key":
            row[0] = f"K{good:07d}"
        case "cells":
            row += ["多出来的"]
        case "bytes" | "open quote":
            row[11] = "结尾"


def _broken(kind: str, content: bytes) -> bytes:
    """What a writer of CSV would not write."""
    if kind == "bytes":
        return content.rstrip() + b"\xff\xff\r\n"
    if kind == "open quote":
        at = content.rindex(b",") + 1
        return content[:at] + b'"' + content[at:]
    return content


def _bytes(row: tuple[str, ...] | list[str], encoding: str) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerow(row)
    return out.getvalue().encode(encoding)
