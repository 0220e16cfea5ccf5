"""Plans items inside a transaction: evidence from the store, the cascade, and what of its outcome is news to others."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from kernel.ids import derived_id
from kit.database import Transaction
from kit.events import Outgoing, outgoing
from schemas.recommendations import PolicyPublished
from services.policy.beside_lines import plan_beside
from services.policy.domain.cascade import plan
from services.policy.domain.evidence import Evidence, Policy
from services.policy.domain.evidence_text import sha256_of_text, text_of
from services.policy.domain.outcome import Outcome, Recommendation, Thresholds, Withheld
from services.policy.domain.parameters import Parameters
from services.policy.domain.reckoning import Book
from services.policy.fitting import digits
from services.policy.moving import move_first
from services.policy.planned import (
    BEFORE_ANY_DAY,
    SERVICE,
    Planned,
    is_news,
    issued,
    moment,
    order_days,
    signals_told,
    withheld,
)
from services.policy.rationing import ration
from services.policy.store import evidence as evidence_store
from services.policy.store import plans, policies
from services.policy.store.evidence import Previous
from services.policy.substituting import stand_ins

FIRST_POLICY_REASON = "Defaults of this version of Countersign; change them before relying on them."


async def current_policy(tx: Transaction, tenant: str) -> tuple[Policy, list[Outgoing]]:
    """The tenant's policy; a tenant without one gets version 1 with the defaults, and everybody is told."""
    policy = await policies.current(tx, tenant)
    if policy is not None:
        return policy, []
    published = PolicyPublished(
        tenant=tenant,
        scope=policies.DEFAULT_SCOPE,
        version=1,
        valid_from=BEFORE_ANY_DAY,
        parameters=Parameters().as_text(),
        published_by="countersign",
        reason=FIRST_POLICY_REASON,
    )
    await policies.keep(tx, tenant, published)
    cause = derived_id("first-policy", tenant)
    says = outgoing(published, service=SERVICE, cause=cause, time=moment(BEFORE_ANY_DAY))
    return default_policy(), [says]


def default_policy() -> Policy:
    """What counts for a tenant that has published nothing."""
    return Policy(policies.DEFAULT_SCOPE, 1, Parameters())


async def plan_items(
    tx: Transaction, tenant: str, items: Sequence[tuple[str, str]], *, run_id: str | None = None
) -> Planned:
    """Plan these items (each at most once) and keep the result; what did not change is not published again."""
    planned = Planned()
    chosen = sorted(set(items))
    if not chosen:
        return planned
    policy, planned.says = await current_policy(tx, tenant)
    loaded = await evidence_store.load(tx, tenant, chosen, policy)
    loaded, budget_dates = await ration(tx, tenant, policy, loaded)
    book = Book()
    outcomes = plan([evidence for evidence, _previous in loaded], book)
    loaded, outcomes, moves = await move_first(tx, tenant, policy, loaded, outcomes)
    loaded, outcomes = await _named_anew(tx, tenant, loaded, outcomes)
    with_cut_off = [
        one.location for one, _previous in loaded if one.terms is not None and one.terms.cut_off is not None
    ]
    planned.zones = await evidence_store.zones(tx, tenant, with_cut_off) if with_cut_off else {}
    rows: list[plans.Plan] = []
    published: list[plans.Published] = []
    for (evidence, previous), outcome in zip(loaded, outcomes, strict=True):
        if isinstance(outcome, Recommendation):
            planned.proposed += 1
            budget_date = budget_dates.get((evidence.sku, evidence.location))
            _propose(planned, rows, published, evidence, previous, outcome, run_id, budget_date)
        else:
            _withhold(planned, rows, evidence, previous, outcome, run_id)
    await plans.keep(tx, tenant, rows)
    if published:
        await plans.publish(tx, tenant, published)
    thresholds = [_thresholds(outcome) for outcome in outcomes]
    await evidence_store.keep_thresholds(tx, tenant, chosen, thresholds)
    evidences = [evidence for evidence, _previous in loaded]
    beside = [*moves, *await stand_ins(tx, tenant, policy, evidences)]
    await plan_beside(tx, tenant, evidences, beside, planned, run_id, book)
    return planned


async def _named_anew(
    tx: Transaction, tenant: str, loaded: list[tuple[Evidence, Previous]], outcomes: list[Outcome]
) -> tuple[list[tuple[Evidence, Previous]], list[Outcome]]:
    """A recommendation that was decided and taken back (recalled, expired) comes again from the same inputs: under the same
    name nobody would hear of it. Its evidence counts the round, so that it has a new name and still derives again."""
    waiting = list(range(len(outcomes)))
    while True:
        names = {
            index: outcome.recommendation_id
            for index in waiting
            if isinstance(outcome := outcomes[index], Recommendation) and is_news(loaded[index][1], outcome)
        }
        used = await plans.published_before(tx, tenant, list(names.values())) if names else set()
        waiting = [index for index, name in names.items() if name in used]
        if not waiting:
            return loaded, outcomes
        for index in waiting:
            evidence, previous = loaded[index]
            loaded[index] = (replace(evidence, round=evidence.round + 1), previous)
        for index, outcome in zip(waiting, plan([loaded[index][0] for index in waiting]), strict=True):
            outcomes[index] = outcome


def _propose(
    planned: Planned,
    rows: list[plans.Plan],
    published: list[plans.Published],
    evidence: Evidence,
    previous: Previous,
    outcome: Recommendation,
    run_id: str | None,
    budget_date: date | None,
) -> None:
    """Publish a recommendation, as a newer version of the item's open line if there is one, unless it says the same."""
    if not is_news(previous, outcome):
        identity, line_id = previous.recommendation_id, previous.line_id
    else:
        identity = outcome.recommendation_id
        line_id = previous.line_id if previous.is_open else derived_id("line", identity)
        assert line_id is not None  # an open line has its id
        body = {**outcome.said, **order_days(evidence, outcome, planned.zones), "line_id": line_id}
        if previous.is_open:
            body["supersedes"] = previous.recommendation_id
        if run_id is not None:
            body["run_id"] = run_id
        kept, says = issued(body, outcome.parts, evidence.as_of)
        planned.says.append(says)
        planned.published += 1
        published.append(
            plans.Published(
                identity, evidence.sku, evidence.location, line_id, date.fromisoformat(body["arrive_on"]),
                outcome.quantity, kept, budget_date=budget_date or evidence.as_of, value=outcome.value,
                supplier=body["supplier"], order_on=date.fromisoformat(body["order_on"]), signals=signals_told(evidence, outcome),
            )
        )  # fmt: skip
    rows.append(
        plans.Plan(
            evidence.sku,
            evidence.location,
            evidence.as_of,
            run_id,
            "recommended",
            None,
            identity,
            line_id,
            True,
            outcome.signature,
            outcome.quantity,
            outcome.reorder_point,
            outcome.order_up_to,
        )
    )


def _withhold(
    planned: Planned,
    rows: list[plans.Plan],
    evidence: Evidence,
    previous: Previous,
    outcome: Withheld,
    run_id: str | None,
) -> None:
    """Publish why there is no order; it ends an open line, except one that a person has put to sleep."""
    stays_open = previous.is_open and outcome.reason == "snoozed"
    ends = previous.recommendation_id if previous.is_open and not stays_open else None
    is_news = (previous.outcome, previous.reason, previous.as_of) != ("withheld", outcome.reason, outcome.as_of)
    if is_news or ends is not None:
        planned.says.append(withheld(_why_not(evidence, outcome, ends, run_id), outcome.as_of))
        planned.published += 1
    rows.append(
        plans.Plan(
            evidence.sku,
            evidence.location,
            evidence.as_of,
            run_id,
            "withheld",
            outcome.reason,
            previous.recommendation_id if stays_open else None,
            previous.line_id if stays_open else None,
            stays_open,
            None,
            None,
            outcome.reorder_point,
            outcome.order_up_to,
        )
    )


def _why_not(evidence: Evidence, outcome: Withheld, ends: str | None, run_id: str | None) -> dict[str, Any]:
    """The message, in the order of its contract; what is not known is not in it."""
    digest = sha256_of_text(text_of(evidence))
    item = (evidence.tenant, evidence.sku, evidence.location)
    # Everything the message says follows from these: the same name never carries another content.
    identity = derived_id("withheld", *item, outcome.reason, digest, str(ends), str(run_id))
    told = {
        "tenant": evidence.tenant,
        "sku": evidence.sku,
        "location": evidence.location,
        "recommendation_id": identity,
        "supersedes": ends,
        "run_id": run_id,
        "origin": outcome.as_of,
        "reason": outcome.reason,
        "says": outcome.says,
        "field": outcome.field,
        "on_hand": digits(evidence.stock.on_hand),
        "on_order": _digits(outcome.on_order),
        "inventory_position": _digits(outcome.position),
        "reorder_point": _digits(outcome.reorder_point),
        "days_of_cover": outcome.days_of_cover,
        "forecast_id": evidence.forecast.forecast_id if evidence.forecast is not None else None,
        "policy_version": evidence.policy.version,
        "evidence_sha256": digest,
    }
    return {name: value for name, value in told.items() if value is not None}


def _digits(number: Decimal | None) -> str | None:
    return None if number is None else digits(number)


def _thresholds(outcome: Outcome) -> Thresholds:
    return outcome.thresholds
