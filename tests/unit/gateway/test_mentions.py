"""Who a comment asks for: accounts named in its text, each told once, nobody by accident."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.decisions import LineCommented
from services.gateway.domain.mentions import MENTIONS_MAX, mentioned
from services.gateway.domain.notices import KINDS, document, sentence, without_words
from services.gateway.notices import tell

PEOPLE = ("ben", "ben.o", "ada@acme.com", "eva", "x")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("@ben please look", ("ben",)),
        ("ask @Ben, then (@eva).", ("ben", "eva")),
        ("@ben.o knows; @ben. does not", ("ben.o", "ben")),
        ("@ada@acme.com has the contract", ("ada@acme.com",)),
        ("twice @eva and @eva", ("eva",)),
        ("write to sales@ben or ben@x", ()),
        ("@nobody and @", ()),
        ("@ benjamin @benjamin", ()),
    ],
)
def test_accounts_are_named_as_people_write_them(text: str, named: tuple[str, ...]) -> None:
    assert mentioned(text, PEOPLE) == named


@given(st.text(alphabet="@ab .+-_,\n(X", max_size=80))
def test_only_known_accounts_are_named_and_each_once(text: str) -> None:
    named = mentioned(text, ("a", "ab", "b.a"))
    assert set(named) <= {"a", "ab", "b.a"}
    assert len(set(named)) == len(named)
    assert all(f"@{name}" in text.lower() for name in named)


def test_a_comment_names_no_more_than_its_event_holds() -> None:
    people = [f"p{number}" for number in range(MENTIONS_MAX + 5)]
    assert len(mentioned(" ".join(f"@{name}" for name in people), people)) == MENTIONS_MAX


def test_each_named_person_is_told_once_and_the_writer_is_not() -> None:
    said = LineCommented(
        tenant="acme",
        comment_id="c-1",
        line_id="line-1",
        recommendation_id="rec-1",
        sku="sku-1",
        location="367",
        text="@eva @ben late\nagain",
        commented_by="ben",
        role="planner",
        commented_at=datetime(2026, 3, 2, tzinfo=UTC),
        mentions=("eva", "ben"),
    )
    (notice,) = tell.of_mentions([said])
    (again,) = tell.of_mentions([said])
    assert (notice.kind, notice.recipient, notice.notice_id) == ("mentioned", "eva", again.notice_id)
    assert notice.kind in KINDS
    assert sentence(notice) == "ben asks for you on line line-1: @eva @ben late again"
    closed = without_words(notice)
    assert (
        "late" not in str(document(closed)) and "sku-1" not in str(document(closed)) and "367" not in str(closed.body)
    )
    assert sentence(closed).startswith("ben asks for you on line line-1, which you do not cover")
    assert closed.notice_id == notice.notice_id
