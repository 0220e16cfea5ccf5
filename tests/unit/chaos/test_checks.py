"""Every checker, proven by planted bugs: nothing is found in a true story, and each spoiled one is told by its letter."""

import base64
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from lab.chaos.checks import INVARIANTS, check
from lab.chaos.checks.audit import roots_at
from lab.chaos.evidence import Evidence
from tests.unit.chaos.story import op, order, rec, root, sale, true_story

Plant = Callable[[Evidence], None]


def test_nothing_is_found_in_a_true_story() -> None:
    assert check(true_story()) == []


def rows(evidence: Evidence, table: str) -> list[Any]:
    found = evidence.tables[table]
    assert isinstance(found, list)
    return found


def drop_an_event(evidence: Evidence) -> None:
    rows(evidence, "policy.ledger").pop(0)


def apply_one_twice(evidence: Evidence) -> None:
    booked = rows(evidence, "policy.ledger")
    booked.append(booked[0] | {"sku": "acme-s1"})


def invent_a_movement(evidence: Evidence) -> None:
    evidence.records["sales.v1"] = [one for one in evidence.records["sales.v1"] if one.header("ce_id") != "acme-0"]


def move_a_position(evidence: Evidence) -> None:
    rows(evidence, "policy.positions")[0]["on_hand"] += 1


def forget_demand(evidence: Evidence) -> None:
    rows(evidence, "forecaster.daily_demand")[0]["quantity"] = Decimal(5)


def lose_a_position(evidence: Evidence) -> None:
    rows(evidence, "policy.positions").pop()


def publish_twice(evidence: Evidence) -> None:
    evidence.records["orders.v1"].append(order("acme", 2, "po-again", "r2-acme", "d4-r2-acme"))


def publish_another_content(evidence: Evidence) -> None:
    first = evidence.records["orders.v1"][0]
    evidence.records["orders.v1"].append(replace(first, offset=2, value=(first.value or b"") + b" "))


def lose_an_order(evidence: Evidence) -> None:
    evidence.records["orders.v1"].pop()


def order_what_nobody_approved(evidence: Evidence) -> None:
    evidence.records["orders.v1"].append(order("bolt", 2, "po-3", "r9-bolt", "d9"))


def show_the_erp_an_aborted_order(evidence: Evidence) -> None:
    evidence.history = [*evidence.history, op(99, "erp", "ok", "see", {"order_id": "po-ghost", "offset": 9})]


def skip_a_version(evidence: Evidence) -> None:
    evidence.records["decisions.v1"].pop(1)


def decide_twice(evidence: Evidence) -> None:
    value = {"recommendation_id": "r2-acme", "version": 3, "verdict": "reject"}
    evidence.history = [*evidence.history, op(99, "racer-7", "ok", "decide", value)]


def take_an_illegal_step(evidence: Evidence) -> None:
    decisions = evidence.records["decisions.v1"]
    decisions[0] = replace(decisions[0], value=(decisions[0].value or b"").replace(b'"snoozed"', b'"returned"'))


def keep_a_decision_to_oneself(evidence: Evidence) -> None:
    rows(evidence, "approvals.decisions").append({"tenant": "acme", "decision_id": "d5"})


def skip_a_sequence_number(evidence: Evidence) -> None:
    rows(evidence, "audit.entries").pop(2)


def change_an_entry(evidence: Evidence) -> None:
    entries = rows(evidence, "audit.entries")
    entries[1]["entry"] = entries[1]["entry"].replace(b"event", b"Event")


def cut_the_logs_tail(evidence: Evidence) -> None:
    entries = rows(evidence, "audit.entries")
    last = max(row["seq"] for row in entries if row["tenant"] == "acme")
    evidence.tables["audit.entries"] = [row for row in entries if (row["tenant"], row["seq"]) != ("acme", last)]


def sign_with_another_key(evidence: Evidence) -> None:
    evidence.public_keys["acme"] = base64.b64decode("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")


def log_an_event_twice(evidence: Evidence) -> None:
    entries = rows(evidence, "audit.entries")
    entries[1]["event_hash"] = entries[0]["event_hash"]


def change_a_record_after_it_was_logged(evidence: Evidence) -> None:
    sales = evidence.records["sales.v1"]
    sales[0] = replace(sales[0], value=(sales[0].value or b"").replace(b'"quantity": "1"', b'"quantity": "7"'))


def leave_a_record_out_of_the_batches(evidence: Evidence) -> None:
    evidence.records["sales.v1"].append(sale("bolt", 9, "bolt-9", 1))


def swap_two_decisions(evidence: Evidence) -> None:
    decisions = evidence.records["decisions.v1"]
    decisions[0], decisions[1] = replace(decisions[0], offset=1), replace(decisions[1], offset=0)


def replace_what_comes_later(evidence: Evidence) -> None:
    made = evidence.records["recommendations.v1"]
    made[0], made[1] = replace(made[0], offset=1), replace(made[1], offset=0)


def leave_a_reader_behind(evidence: Evidence) -> None:
    rows(evidence, "gateway.lines")[0]["version"] = 3


def show_the_seat_the_past(evidence: Evidence) -> None:
    evidence.history = [*evidence.history, op(99, "erp", "ok", "see", {"order_id": "po-acme", "offset": 0})]


def cross_a_tenant_in_a_table(evidence: Evidence) -> None:
    evidence.tables["policy.plans"] = [{"tenant": "acme", "sku": "bolt-s0", "location": "acme-l0"}]


def cross_a_tenant_on_a_topic(evidence: Evidence) -> None:
    body = {"tenant": "acme", "sku": "bolt-s0"}
    evidence.records["exceptions.v1"] = [rec("exceptions.v1", 0, "exception.raised.v1", "x", body)]


def show_a_stranger_an_item(evidence: Evidence) -> None:
    evidence.history = [*evidence.history, op(99, "planner-acme", "ok", "peek", {"sku": "bolt-s0"})]


def list_a_strangers_line(evidence: Evidence) -> None:
    evidence.history = [*evidence.history, op(99, "planner-acme", "ok", "list", [["bolt-s0", "r"]])]


def never_catch_up(evidence: Evidence) -> None:
    evidence.recoveries = [("kill", 500.0)]


def leave_a_backlog(evidence: Evidence) -> None:
    evidence.waiting = {"lag of policy": 3}


def bury_a_good_event(evidence: Evidence) -> None:
    good = evidence.records["sales.v1"][0]
    headers = (("ce_id", b"dead-1"), ("ce_source", b"policy"), ("dead_consumer", b"policy"))
    evidence.records["sales.v1.dead"] = [replace(good, topic="sales.v1.dead", headers=headers)]


def swallow_a_bad_event(evidence: Evidence) -> None:
    bad = replace(sale("acme", 7, "bad", 1), value=b"{")
    evidence.records["sales.v1"].append(bad)
    evidence.history = [
        *evidence.history,
        op(99, "tester", "ok", "poison", [["sales.v1", base64.b64encode(b"{").decode()]]),
    ]


def forget_what_was_acknowledged(evidence: Evidence) -> None:
    evidence.history = [*evidence.history, op(99, "till-acme", "ok", "record", [["pos", "acme-77"]])]


def forget_a_decision(evidence: Evidence) -> None:
    value = {"recommendation_id": "r2-acme", "version": 4, "verdict": "approve"}
    evidence.history = [*evidence.history, op(99, "planner-acme", "ok", "decide", value)]


PLANTS: list[tuple[str, Plant]] = [
    ("L", drop_an_event),
    ("L", apply_one_twice),
    ("L", invent_a_movement),
    ("S", move_a_position),
    ("S", forget_demand),
    ("S", lose_a_position),
    ("E", publish_twice),
    ("E", publish_another_content),
    ("E", lose_an_order),
    ("E", order_what_nobody_approved),
    ("E", show_the_erp_an_aborted_order),
    ("M", skip_a_version),
    ("M", decide_twice),
    ("M", take_an_illegal_step),
    ("M", keep_a_decision_to_oneself),
    ("A", skip_a_sequence_number),
    ("A", change_an_entry),
    ("A", cut_the_logs_tail),
    ("A", sign_with_another_key),
    ("A", log_an_event_twice),
    ("A", change_a_record_after_it_was_logged),
    ("A", leave_a_record_out_of_the_batches),
    ("O", swap_two_decisions),
    ("O", replace_what_comes_later),
    ("O", leave_a_reader_behind),
    ("O", show_the_seat_the_past),
    ("T", cross_a_tenant_in_a_table),
    ("T", cross_a_tenant_on_a_topic),
    ("T", show_a_stranger_an_item),
    ("T", list_a_strangers_line),
    ("H", never_catch_up),
    ("H", leave_a_backlog),
    ("H", bury_a_good_event),
    ("H", swallow_a_bad_event),
    ("D", forget_what_was_acknowledged),
    ("D", forget_a_decision),
]


@pytest.mark.parametrize(("letter", "plant"), PLANTS, ids=[plant.__name__ for _, plant in PLANTS])
def test_a_planted_bug_is_told_by_its_letter(letter: str, plant: Plant) -> None:
    evidence = true_story()
    plant(evidence)
    assert letter in {found.invariant for found in check(evidence)}


def test_every_invariant_has_planted_bugs() -> None:
    assert {letter for letter, _ in PLANTS} == set(INVARIANTS)


@pytest.mark.parametrize("size", range(1, 18))
def test_roots_in_one_pass_are_those_of_rfc_6962(size: int) -> None:
    leaves = [bytes([number]) * 32 for number in range(size)]
    assert roots_at(leaves, list(range(1, size + 1))) == {n: root(leaves[:n]) for n in range(1, size + 1)}
