"""How attachments are called: company-document-yyyymmdd (R55, A16, golden case 7)."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from fnmatch import fnmatchcase
from unicodedata import normalize

_DATED = re.compile(r"(?P<stem>.+)-(?P<day>\d{8})(?P<extension>\.[A-Za-z0-9]{1,8})?", re.ASCII)
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,8}$", re.ASCII)
_LEGAL_FORMS = re.compile(
    r"(股份|有限|责任|集团|公司|co|ltd|limited|inc|llc|corp|corporation|group)+$"
)
_DRAFT = re.compile(
    r"[\s_\-.(]*(final|copy|draft|v\d+(\.\d+)*|\d{1,8}|最终|最终版|终稿|定稿|副本|草稿)[\s_\-.)]*$",
    re.IGNORECASE | re.ASCII,
)
_HIDDEN = "*×"
UNNAMED = "附件"


@dataclass(frozen=True, slots=True)
class NameFault:
    """What is wrong with a name, and one that would do."""

    why: str
    suggestion: str


def find_fault(name: str, customer: str | None, today: date) -> NameFault | None:
    """None for a name by the rule; the company part is compared with the lead's customer.

    >>> find_fault("A科技公司-办公设备报价单-20240502", "A科技有限公司", date(2024, 5, 2))
    >>> find_fault("报价单final.pdf", "A科技有限公司", date(2024, 5, 2)).suggestion
    'A科技有限公司-报价单-20240502.pdf'
    """
    why = _fault(name, customer)
    return NameFault(why, suggest(name, customer, today)) if why else None


def suggest(name: str, customer: str | None, today: date) -> str:
    """The same document under a name by the rule."""
    extension = found[0] if (found := _EXTENSION.search(name)) else ""
    stem = name.removesuffix(extension).strip()
    splits = _splits(stem)
    theirs = [rest for company, rest in splits if same_company(company, customer)]
    others = [rest for _, rest in splits] if _DATED.fullmatch(name) else []
    document = next(iter((*theirs, *others)), stem)
    while cleaned := _DRAFT.search(document):
        document = document[: cleaned.start()]
    document = document.strip(" _-.") or UNNAMED
    company = re.sub(r"[/\\]", "", customer or "").strip() or "客户"
    return f"{company}-{document}-{today:%Y%m%d}{extension}"


def same_company(written: str, customer: str | None) -> bool:
    """Whether a name means the customer: legal forms do not count, `*` hides any characters."""
    one, other = _core(written), _core(customer or "")
    if not other:
        return True  # there is nothing to compare with
    return one == other or _covers(one, other) or _covers(other, one)


def _fault(name: str, customer: str | None) -> str | None:
    dated = _DATED.fullmatch(name)
    splits = list(_splits(dated["stem"])) if dated else []
    if not dated or not splits:
        return "it is not company-document-yyyymmdd"
    if not _is_date(dated["day"]):
        return f"{dated['day']} is not a date"
    if not any(same_company(company, customer) for company, _ in splits):
        return f"{splits[0][0]} is not this lead's customer"
    return None


def _splits(stem: str) -> list[tuple[str, str]]:
    """Every way to read company-document: either may contain a hyphen itself."""
    cuts = [i for i, character in enumerate(stem) if character == "-"]
    return [(stem[:i], stem[i + 1 :]) for i in cuts if stem[:i].strip() and stem[i + 1 :].strip()]


def _is_date(digits: str) -> bool:
    try:
        return datetime.strptime(digits, "%Y%m%d").year >= 1900  # noqa: DTZ007 - a date alone
    except ValueError:
        return False


def _core(company: str) -> str:
    """A name without case, width, punctuation and legal form; hidden characters become `*`."""
    wide = normalize("NFKC", company).casefold()
    kept = "".join("*" if c in _HIDDEN else c for c in wide if c.isalnum() or c in _HIDDEN)
    return _LEGAL_FORMS.sub("", kept) or kept


def _covers(pattern: str, name: str) -> bool:
    """`*` stands for what was hidden; something has to be left to compare."""
    if "*" not in pattern or not pattern.strip("*"):
        return False
    return fnmatchcase(name, pattern)
