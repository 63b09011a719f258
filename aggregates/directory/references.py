"""The lists that leads choose from: sources, industries, regions, segments (R20, R21, R24).

What is built in can be retired and renamed like anything added later.
"""

from collections.abc import Mapping
from uuid import UUID

from aggregates.directory.state import Reference, reference_id

KINDS = ("source", "industry", "region", "segment")
OPEN = ("source", "industry", "region")
"""The lists that suggest: a lead may have another value. A segment is one of the list."""

_NAMES: Mapping[str, Mapping[str, str]] = {
    "source": {
        "官网注册": "website",
        "展会咨询": "trade show",
        "转介绍": "referral",
        "合作伙伴": "partner",
        "电话咨询": "inbound call",
        "广告投放": "advertising",
        "其他": "other",
    },
    "industry": {
        "信息技术": "information technology",
        "制造业": "manufacturing",
        "服务业": "services",
        "教育": "education",
        "金融": "finance",
        "医疗健康": "health care",
        "零售": "retail",
        "建筑房地产": "construction and real estate",
        "物流运输": "logistics",
        "能源": "energy",
        "政府": "government",
        "其他": "other",
    },
    "region": {
        "华东": "East China",
        "华南": "South China",
        "华北": "North China",
        "华中": "Central China",
        "西南": "Southwest China",
        "西北": "Northwest China",
        "东北": "Northeast China",
        "港澳台": "Hong Kong, Macao and Taiwan",
        "海外": "overseas",
    },
    "segment": {
        "决策层": "decision maker",
        "采购决策": "purchase decision",
        "信息收集": "information gathering",
        "潜在需求": "latent need",
    },
}

BUILT_IN: Mapping[str, Mapping[str, Reference]] = {
    kind: {
        name: Reference(kind=kind, name=name, english=english) for name, english in names.items()
    }
    for kind, names in _NAMES.items()
}
_BY_STREAM: Mapping[UUID, Reference] = {
    reference_id(kind, name): entry
    for kind, entries in BUILT_IN.items()
    for name, entry in entries.items()
}


def initial(stream: UUID) -> Reference:
    """The entry of this stream before its first event."""
    return _BY_STREAM.get(stream, Reference())
