"""Masking of contact details (R75, R111, R112, A4): what a read shows by default.

Phone: the four digits before the last four are hidden, 139****5678. E-mail: the first character
and the domain stay. The same inside free text, where a date, an amount of money or a lead code is
no phone number; in doubt a number is masked.

Everything that shows a lead masks through `mask_field`, `mask_details` or `mask_event`. What stands
under a name that they do not know is free text, so a new field is masked until `CLEAR` names it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints
from uuid import UUID

from aggregates.event import Event
from aggregates.lead.events import PROFILE

E = TypeVar("E", bound=Event)

CLEAR = frozenset((
    "code", "follow_up", "external_id", "source_system", "stage", "previous", "policy", "sha256",
    "hash", "owner", "previous_owner", "team", "previous_team", "person", "by", "shared_with",
    "first_erased_by",
    "pool", "into_code", "lead", "responsible", "supervisors", "recipient", "message_id",
    "kind", "task", "since",
    "source", "industry", "region", "customer_type", "campaign", "level", "segment", "method",
))  # fmt: skip
"""Names under which no contact details of a customer stand: codes and ids, stages, the company's
own people, teams and pools, and the classes that reports group by. What a command puts there is
checked with `holds_contact`; what an import put there may be a long number and stays as it is.
"""

_HIDDEN, _SHOWN = 4, 4
_FEWEST_DIGITS = 7  # of what is a phone number inside text
_LEAST_MOBILE = 13_000_000_000  # as a whole number: eleven digits, from 130 on

# In Chinese no space parts a number or an address from the words around it, and every Chinese
# character is a \w: so borders are drawn by ASCII, and only a local part that ends in Chinese is
# taken as far as it goes. The bound keeps the time linear in the length of the text.
_EMAIL = re.compile(
    r"(?:([A-Za-z0-9_])[A-Za-z0-9._%+'*-]{0,63}|(\w)[\w.]{0,63}(?<![A-Za-z0-9._]))"
    r"([@＠][\w-]+(?:[.．][\w-]+)+)"
)
_BETWEEN = r" \t\xa0\u3000.\-\u2013\u2014－"  # what is typed between a mobile number's digits
_SEPARATORS = rf"[{_BETWEEN}()（）]"
_MOBILE = (
    rf"(?<!\d)(?:(?:[+＋]|[0０]{{2}})?[8８][6６][{_BETWEEN}]?)?"
    rf"[1１][3-9３-９]\d(?:[{_BETWEEN}]?\d){{8}}(?!\d)"
)
# One digit more of the same number; a mobile number behind a separator is another one.
_MORE = rf"(?:\d|{_SEPARATORS}{{1,2}}(?!{_MOBILE})\d)"
_DATE = (
    r"(?<!\d)(?:19|20)\d\d"
    r"(?:(?P<dash>[-./])(?:0?[1-9]|1[0-2])(?P=dash)(?:0?[1-9]|[12]\d|3[01])"
    r"|(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))(?!\d)"
)
_MONEY = (
    r"(?:(?<=[¥￥$€])|(?<=[¥￥$€] ))\d+(?:\.\d+)?(?!\d)"
    r"|(?<![\d.])\d+\.\d{1,2}(?![\d.])"
    r"|(?<!\d)\d+(?:\.\d+)?(?= ?(?:元|人民币|美元|欧元|RMB|CNY|USD|EUR))"
)
_IN_TEXT = re.compile(
    r"(?=[\d+＋])"  # passes over words five times as fast
    rf"(?:(?P<keep>{_DATE})|(?P<mobile>{_MOBILE})|(?P<money>{_MONEY})"
    rf"|(?<![A-Za-z0-9_*])\d{_MORE}{{{_FEWEST_DIGITS - 1},14}}(?!\d|\*\*))"
)
_IN_FIELD = re.compile(
    rf"(?P<keep>(?:转接?|分机|ext\.?|#) ?\d{{1,6}}(?!\d))|(?P<mobile>{_MOBILE})|\d{_MORE}*"
)
_EXTENSION = re.compile(r"(?<=\d{7})-\d{1,3}$")
_IS_MOBILE = re.compile(_MOBILE).fullmatch
_MOBILE_ANYWHERE = re.compile(_MOBILE)
_MOBILE_IN = _MOBILE_ANYWHERE.search


def mask_phone(phone: str) -> str:
    """Mask every number of a phone field: at least four digits of each are hidden.

    >>> mask_phone("13912345678/0571-87654321-801"), mask_phone("95588")
    ('139****5678/0571-****4321-801', '****8')
    """
    if len(phone) == 11 and phone.isdecimal():  # most are: the same, twenty times as fast
        return f"{phone[:3]}****{phone[7:]}"
    return _IN_FIELD.sub(_masked, _mask_addresses(phone))


def mask_email(email: str) -> str:
    """Keep the first character and the domain; what is no address at all is hidden.

    >>> mask_email("zhang.wei@example.cn"), mask_email("zhang wei")
    ('z***@example.cn', '***')
    """
    if _EMAIL.search(email):
        return mask_text(email)
    local, at, domain = email.partition("@")
    return f"{local[:1]}***{at}{domain}" if at else "***"


def mask_text(text: str) -> str:
    """Mask every phone number and e-mail address inside free text.

    >>> mask_text("2024-05-10前打电话13912345678或发邮件li@a.cn，预算1200000元")
    '2024-05-10前打电话139****5678或发邮件l***@a.cn，预算1200000元'
    """
    if text.isalpha() or (len(text) < _FEWEST_DIGITS and "@" not in text and "＠" not in text):
        return text
    return _IN_TEXT.sub(_masked, _mask_addresses(text))


def holds_contact(text: str) -> bool:
    """Whether a mobile number or an e-mail address is in a text.

    >>> holds_contact("展会 13912345678"), holds_contact("campaign 20240501123456789")
    (True, False)
    """
    return bool(_MOBILE_IN(text) or _EMAIL.search(text))


def without_contacts(text: str) -> str:
    """Mask only what `holds_contact` finds: for texts of our own that may quote what was typed.

    >>> without_contacts("nobody is called 13912345678 at position 12345678")
    'nobody is called 139****5678 at position 12345678'
    """
    return _MOBILE_ANYWHERE.sub(lambda m: _hide(m[0]), _mask_addresses(text))


def mask_field(name: str, value: Any) -> Any:
    """A value of an event, a row or a lead as it may be shown, by the name it stands under.

    >>> mask_field("reason", "call 13912345678"), mask_field("external_id", "13912345678")
    ('call 139****5678', '13912345678')
    """
    if not value or name in CLEAR:
        return value
    if isinstance(value, str):
        return _MASKS.get(name, mask_text)(value)
    return mask_details(value) if name in _TYPED else _mask_inside(name, value)


def mask_details(details: Mapping[str, Any], *, attributes: bool = True) -> dict[str, Any]:
    """New values of a lead by name; an attribute's name says nothing about what is in it.

    `attributes=False` leaves the attributes as they are.

    >>> mask_details({"owner": "13912345678", "code": "13912345678"})
    {'owner': '13912345678', 'code': '139****5678'}
    """
    shown = {}
    for name, value in details.items():
        if name in _PROFILE:
            shown[name] = mask_field(name, value)
        elif attributes:
            shown[mask_text(name)] = mask_attribute(value)
        else:
            shown[name] = value
    return shown


def mask_attribute(value: Any) -> Any:
    """The value of an attribute, of any JSON type.

    >>> mask_attribute(["li@a.cn", 13912345678, 85000])
    ['l***@a.cn', '139****5678', 85000]
    """
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, Mapping):
        return {mask_attribute(name): mask_attribute(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [mask_attribute(item) for item in value]
    return _mask_number(value)


def mask_event(event: E, *, attributes: bool = True) -> E:
    """The event with every text in it masked; the same one when there is nothing to hide.

    `attributes=False` leaves the attributes among its details as they are.
    """
    shown = {}
    for name in _maskable[type(event)]:
        if value := getattr(event, name):
            as_shown: Any = (
                mask_details(value, attributes=attributes)
                if name == "details"
                else mask_field(name, value)
            )
            if as_shown != value:
                shown[name] = as_shown
    return replace(event, **shown) if shown else event


def _mask_inside(name: str, value: Any) -> Any:
    """A value that is no text, with the texts inside it masked."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Mapping):
        return {inner: mask_field(inner, item) for inner, item in value.items()}
    if isinstance(value, list | tuple | frozenset):
        return type(value)(mask_field(name, item) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        own = {f.name: mask_field(f.name, getattr(value, f.name)) for f in fields(value)}
        return replace(value, **own)
    return _mask_number(value)


def _mask_number(value: Any) -> Any:
    """A number that is a mobile number becomes a masked text; anything else is as it was."""
    if not isinstance(value, int | float) or (type(value) is int and value < _LEAST_MOBILE):
        return value
    digits = str(value).removesuffix(".0")
    return mask_phone(digits) if _IS_MOBILE(digits) else value


def _mask_addresses(text: str) -> str:
    if "@" not in text and "＠" not in text:
        return text
    return _EMAIL.sub(lambda m: f"{m[1] or m[2]}***{m[3]}", text)


def _masked(match: re.Match[str]) -> str:
    """The number of a match as it may be shown."""
    number = match[0]
    kind = match.lastgroup
    if kind in ("keep", "money"):
        return number
    extension = "" if kind == "mobile" else "".join(_EXTENSION.findall(number))
    return _hide(number.removesuffix(extension)) + extension


def _hide(number: str) -> str:
    """Hide the four digits before the last four, of a short number the first four."""
    places = [i for i, c in enumerate(number) if c.isdigit()]
    end = max(len(places) - _SHOWN, _HIDDEN)
    hidden = set(places[max(end - _HIDDEN, 0) : end])
    return "".join("*" if i in hidden else c for i, c in enumerate(number))


_PLAIN = {datetime, date, bool, UUID, Decimal, NoneType}  # no text, and no telephone number
_PROFILE = frozenset(PROFILE)
_TYPED = frozenset(("details", "attributes"))  # mappings whose names somebody typed
_MASKS: Mapping[str, Callable[[str], str]] = {"phone": mask_phone, "email": mask_email}


class _Maskable(dict[type[Event], tuple[str, ...]]):
    """The fields of each type of event that may hold a text to mask."""

    def __missing__(self, cls: type[Event]) -> tuple[str, ...]:
        types = {n: set(get_args(hint) or [hint]) for n, hint in get_type_hints(cls).items()}
        own = (f.name for f in fields(cls) if f.name not in CLEAR)
        self[cls] = names = tuple(name for name in own if not types[name] <= _PLAIN)
        return names


_maskable = _Maskable()
