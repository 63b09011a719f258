"""What a file is, by its content (decisions 7)."""

import pytest

from aggregates.policy.work import AttachmentRules
from api.content_types import sniff

ZIP, OLE = b"PK\x03\x04" + bytes(60), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize(
    ("head", "name", "found"),
    [
        (b"%PDF-1.7\n%\xe2\xe3", "a.docx", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "a.png", "image/png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "a", "image/jpeg"),
        (b"\xff\xd8\xff\xe1\0\x10Exif\0", "a.jpg", "image/jpeg"),
        (ZIP, "a.zip", "application/zip"),
        (ZIP, "a", "application/zip"),
        (ZIP, "A.DOCX", WORD),
        (OLE, "a.doc", "application/msword"),
        (OLE, "a.xls", "application/vnd.ms-excel"),
        ("产品手册\n".encode(), "a.txt", "text/plain"),
        ("编号,金额\n1,2\n".encode("gb18030"), "a.csv", "text/csv"),
        ("\ufeff编号,金额\n".encode(), "a.CSV", "text/csv"),
        ("产品手册".encode()[:-1], "a.txt", "text/plain"),
        (b"BM 12 meetings", "a.txt", "text/plain"),
    ],
)
def test_what_the_policy_accepts_is_recognised(head: bytes, name: str, found: str) -> None:
    assert sniff(head, name) == found
    assert found in AttachmentRules().content_types


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"MZ\x90\0\3" + bytes(60), "报价单.pdf"),
        (b"\x7fELF\2\1\1" + bytes(60), "a.txt"),
        (b"<html><script>alert(1)</script>", "a.txt"),
        (b"<!DOCTYPE html><body>", "a.txt"),
        (OLE, "a.msi"),
        (b"GIF89a" + bytes(20), "a.png"),
        (b"text\0with\1nothing", "a.txt"),
        (b"", "a.txt"),
    ],
)
def test_anything_else_is_not_what_it_is_called(head: bytes, name: str) -> None:
    if head:
        assert sniff(head, name) not in AttachmentRules().content_types
    else:
        assert sniff(head, name) == "text/plain", "an empty file is refused by its size"
