"""What a line proposed at a past moment: its newest version, unless that waited behind an approval that was held."""

from datetime import UTC, datetime, timedelta

from services.approvals.domain.as_of import Decided, Version, stood

START = datetime(2017, 11, 1, tzinfo=UTC)


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


VERSIONS = [Version("r1", minute(10)), Version("r2", minute(30))]


def decided(number: int, at: int, about: str, verdict: str, released: int | None = None) -> Decided:
    return Decided(f"d{number}", about, verdict, minute(at), None if released is None else minute(released))


def test_nothing_stands_before_the_first_version_came() -> None:
    assert stood(VERSIONS, [], minute(9)) is None


def test_newest_version_that_had_come_stands() -> None:
    assert stood(VERSIONS, [], minute(10)) == ("r1", None)
    assert stood(VERSIONS, [], minute(29)) == ("r1", None)
    assert stood(VERSIONS, [], minute(30)) == ("r2", None)


def test_decision_counts_from_when_it_was_made() -> None:
    made = [decided(1, 20, "r1", "rejected")]
    assert stood(VERSIONS, made, minute(19)) == ("r1", None)
    assert stood(VERSIONS, made, minute(20)) == ("r1", "d1")
    assert stood(VERSIONS, made, minute(30)) == ("r2", None), "a decision about other numbers is none about these"


def test_escalation_decides_nothing() -> None:
    made = [decided(1, 15, "r1", "first_signature"), decided(2, 20, "r1", "escalated")]
    assert stood(VERSIONS, made, minute(25)) == ("r1", "d1")


def test_fresher_version_waits_behind_an_approval_until_its_order_is_out() -> None:
    made = [decided(1, 29, "r1", "approved", released=40)]
    assert stood(VERSIONS, made, minute(35)) == ("r1", "d1")
    assert stood(VERSIONS, made, minute(40)) == ("r2", None)


def test_fresher_version_stands_once_the_approval_is_undone() -> None:
    made = [decided(1, 29, "r1", "approved"), decided(2, 33, "r1", "undone")]
    assert stood(VERSIONS, made, minute(32)) == ("r1", "d1")
    assert stood(VERSIONS, made, minute(33)) == ("r2", None)


def test_decision_about_a_version_that_came_too_late_says_nothing_of_the_line() -> None:
    made = [decided(1, 20, "r1", "approved"), decided(2, 25, "r0", "expired")]
    assert stood(VERSIONS, made, minute(26)) == ("r1", "d1")
    assert stood(VERSIONS, made, minute(35)) == ("r1", "d1"), "r2 waits behind it all the same"
