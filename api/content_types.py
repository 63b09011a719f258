"""What a file is, found in its first bytes rather than believed (decisions: by sniffing).

Archives and Microsoft's old format hold many kinds of documents: there the file's extension says
which. Text has no mark of its own: it is what can be read as text and looks like nothing else.
"""

import codecs
from collections.abc import Mapping
from pathlib import PurePath

from puremagic import PureError, magic_string

HEAD_BYTES = 8192
UNKNOWN = "application/octet-stream"
SURE = 0.4  # what matched fewer than four bytes may as well be the beginning of a text

_OFFICE = "application/vnd.openxmlformats-officedocument."
_CONTAINERS: Mapping[bytes, tuple[str, Mapping[str, str]]] = {
    b"PK\x03\x04": (
        "application/zip",
        {
            ".docx": _OFFICE + "wordprocessingml.document",
            ".xlsx": _OFFICE + "spreadsheetml.sheet",
            ".pptx": _OFFICE + "presentationml.presentation",
        },
    ),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": (
        "application/x-ole-storage",
        {
            ".doc": "application/msword",
            ".xls": "application/vnd.ms-excel",
            ".ppt": "application/vnd.ms-powerpoint",
        },
    ),
}
_ENCODINGS = ("utf-8-sig", "gb18030")
_LAYOUT = "\t\n\r\f"


def sniff(head: bytes, name: str) -> str:
    """The media type of a file that begins so and is called so.

    >>> sniff(b"%PDF-1.7", "a.txt"), sniff("你好".encode(), "a.csv"), sniff(bytes(9), "a.pdf")
    ('application/pdf', 'text/csv', 'application/octet-stream')
    """
    extension = PurePath(name).suffix.lower()
    for mark, (container, inside) in _CONTAINERS.items():
        if head.startswith(mark):
            return inside.get(extension, container)
    found, confidence = _by_mark(head)
    if confidence < SURE and _is_text(head):
        return "text/csv" if extension == ".csv" else "text/plain"
    return found or UNKNOWN


def _by_mark(head: bytes) -> tuple[str, float]:
    try:
        best = magic_string(head)[0]
    except (PureError, ValueError):  # nothing known looks like this; nothing at all
        return "", 0.0
    return best.mime_type, best.confidence


def _is_text(head: bytes) -> bool:
    for encoding in _ENCODINGS:
        try:  # the last character may be cut off
            text = codecs.getincrementaldecoder(encoding)().decode(head)
        except UnicodeDecodeError:
            continue
        return all(c.isprintable() or c in _LAYOUT or ord(c) > 127 for c in text)
    return False
