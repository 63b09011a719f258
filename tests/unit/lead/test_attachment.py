"""Attachments and shares as decisions: R54-R56, A16, A17, golden case 7."""

from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any

import pytest
from hypothesis import example, settings
from hypothesis import given as for_all
from hypothesis import strategies as st

from aggregates.lead.attachment import attach, attachment_id, share
from aggregates.lead.attachment_name import find_fault, same_company, suggest
from aggregates.lead.events import AttachmentAdded, InfoChanged, LeadShared
from aggregates.policy.work import AttachmentRules
from aggregates.refusal import Refusal
from tests.unit.lead.given import ASSIGNED, LEAD, NOW, Decision, given, lead_of

TODAY = date(2024, 5, 2)
CUSTOMER = InfoChanged(occurred_at=NOW, details={"customer": "A科技有限公司"})
LEAD_OF_A = (*ASSIGNED, CUSTOMER)


def file(name: str = "A科技公司-办公设备报价单-20240502", **changes: Any) -> AttachmentAdded:
    """A small PDF."""
    sha256 = "ab" * 32
    added = AttachmentAdded(
        occurred_at=NOW,
        attachment=attachment_id(LEAD, name, sha256),
        name=name,
        content_type="application/pdf",
        size=100,
        sha256=sha256,
    )
    return replace(added, **changes)


def attaching(added: AttachmentAdded, **rules: Any) -> Decision:
    """The decision to add it under a policy."""
    said = replace(added, occurred_at=None, warning=None)
    return partial(attach, now=NOW, today=TODAY, file=said, rules=AttachmentRules(**rules))


def test_a_file_by_the_rule_is_added_once() -> None:
    """R54, R55, golden case 7."""
    given(*LEAD_OF_A).when(attaching(file())).then(file()).when(attaching(file())).then()


def test_a_name_against_the_rule_is_refused_with_one_that_would_do() -> None:
    """A16, golden case 7."""
    given(*LEAD_OF_A).when(attaching(file("报价单final.pdf"))).refused("attachment-name", "name")
    with pytest.raises(Refusal) as refused:
        attaching(file("报价单final.pdf"))(lead_of(*LEAD_OF_A))
    suggestion = refused.value.suggestion
    assert suggestion == "A科技有限公司-报价单-20240502.pdf"
    assert suggestion in refused.value.message
    given(*LEAD_OF_A).when(attaching(file(suggestion))).then(file(suggestion))


def test_a_policy_may_let_it_pass_with_a_warning() -> None:
    """A16: policy warn."""
    added = attaching(file("报价单final.pdf"), verdict="warn")(lead_of(*LEAD_OF_A))
    warning = "it is not company-document-yyyymmdd: call it A科技有限公司-报价单-20240502.pdf"
    assert added == [file("报价单final.pdf", warning=warning)]


def test_size_type_and_number_are_bounded() -> None:
    """Decisions 7."""
    given(*LEAD_OF_A).when(attaching(file(size=101), max_bytes=100)).refused("attachment-too-large")
    given(*LEAD_OF_A).when(attaching(file(size=0))).refused("attachment-empty")
    wrong = file(content_type="text/html")
    given(*LEAD_OF_A).when(attaching(wrong)).refused("attachment-type")
    one = file("A科技公司-手册-20240502")
    given(*LEAD_OF_A, file()).when(attaching(one, max_per_lead=1)).refused("too-many-attachments")
    given(*LEAD_OF_A, file()).when(attaching(file(), max_per_lead=1)).then()
    given(CUSTOMER).when(attaching(file())).refused("not-captured")


@pytest.mark.parametrize(
    ("name", "customer", "why"),
    [
        ("A科技公司-办公设备报价单-20240502", "A科技有限公司", None),
        ("A科技公司-办公设备报价单-20240502.pdf", "A科技股份有限公司", None),
        ("*科技公司-办公设备报价单-20240502", "A科技有限公司", None),
        ("A科技公司-手册-20240502.docx", "*科技有限公司", None),
        ("×科技-手册-20240502", "星辰科技公司", None),
        ("Ａ科技 公司-手册-20240229", "a科技有限责任公司", None),
        ("Coca-Cola-Price-List-20240502.pdf", "Coca-Cola Co., Ltd.", None),
        ("B公司-手册-20240502", None, None),
        ("A科技公司-办公设备报价单-20240231", "A科技有限公司", "20240231 is not a date"),
        ("A科技公司-手册-20230229", "A科技有限公司", "20230229 is not a date"),
        ("B科技公司-手册-20240502", "A科技有限公司", "B科技公司 is not this lead's customer"),
        ("*-手册-20240502", "A科技有限公司", "* is not this lead's customer"),
        ("报价单final.pdf", "A科技有限公司", "it is not company-document-yyyymmdd"),
        ("A科技公司-20240502.pdf", "A科技有限公司", "it is not company-document-yyyymmdd"),
        ("A科技公司-手册-2024052", "A科技有限公司", "it is not company-document-yyyymmdd"),
        ("A科技公司-手册-２０２４０５０２", "A科技有限公司", "it is not company-document-yyyymmdd"),
        (" -手册-20240502", "A科技有限公司", "it is not company-document-yyyymmdd"),
    ],
)
def test_what_is_wrong_with_a_name(name: str, customer: str | None, why: str | None) -> None:
    """R55, A16, golden case 7: a real date, and the lead's company whatever its legal form."""
    fault = find_fault(name, customer, TODAY)
    assert (fault and fault.why) == why


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("报价单final.pdf", "A科技有限公司-报价单-20240502.pdf"),
        ("报价单 (1).pdf", "A科技有限公司-报价单-20240502.pdf"),
        ("报价单_v2.3_最终版.docx", "A科技有限公司-报价单-20240502.docx"),
        ("A科技公司-办公设备报价单-20240231", "A科技有限公司-办公设备报价单-20240502"),
        ("B科技公司-手册-20240501.pdf", "A科技有限公司-手册-20240502.pdf"),
        ("A科技-手册.pdf", "A科技有限公司-手册-20240502.pdf"),
        ("final.pdf", "A科技有限公司-附件-20240502.pdf"),
        ("20240501", "A科技有限公司-附件-20240502"),
    ],
)
def test_the_suggestion_keeps_what_the_document_is(name: str, suggestion: str) -> None:
    """A16, golden case 7: the lead's customer, the document without its drafts, today."""
    assert suggest(name, "A科技有限公司", TODAY) == suggestion


@settings(max_examples=300)
@for_all(
    st.text(st.characters(exclude_characters="/\\", exclude_categories=("C",)), min_size=1),
    st.text(st.characters(exclude_categories=("C",)), min_size=1),
)
@example("-", "*")
@example("公司-公司-20240502", "公司")
def test_what_is_suggested_is_accepted(name: str, customer: str) -> None:
    """A16: nobody is sent from one refusal to the next."""
    assert find_fault(suggest(name, customer, TODAY), customer, TODAY) is None


def test_many_hidden_characters_are_compared_at_once() -> None:
    """A name of stars must not keep the service busy."""
    assert not same_company("*a" * 90, "a" * 199 + "b")


def test_shared_once_with_somebody_of_the_directory() -> None:
    """R56, A17: an explicit grant; the owner needs none."""
    shared = LeadShared(occurred_at=NOW, person="li", reason="technical question")

    def sharing(person: str) -> Decision:
        people = ("chen", "li")
        return partial(share, now=NOW, person=person, reason=shared.reason, people=people)

    given(*ASSIGNED).when(sharing("li")).then(shared).when(sharing("li")).then()
    given(*ASSIGNED).when(sharing("chen")).then()
    given(*ASSIGNED).when(sharing("nobody")).refused("unknown-person", "person")
    given().when(sharing("li")).refused("not-captured")
