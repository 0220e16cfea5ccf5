"""Substitutes as lines of their own: what may stand in for a product that will run out before its own order can come.

Such a line is about the product that stands in: that is bought, at its own terms, beside its own order. Its evidence holds that
of the product it stands in for, so that it derives again. A person decides on every one of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

import numpy as np

from services.policy.domain.beside_line import recommended_beside
from services.policy.domain.columns import DAYS_PER_YEAR
from services.policy.domain.evidence import About, Evidence
from services.policy.domain.levels import round_down, round_up
from services.policy.domain.line import Amounts, Line, Numbers, cost_at, purchase_value
from services.policy.domain.numbers import decimal_of, money, plain
from services.policy.domain.outcome import Outcome, Recommendation, Withheld
from services.policy.domain.projection import projected
from services.policy.domain.reckoning import Reckoned, reckon
from services.policy.domain.render import what_of
from services.policy.domain.routing import confidence_of, reasons_beside
from services.policy.domain.scenarios import active, heeded
from services.policy.domain.screening import Fault, screen
from services.policy.domain.steps import Step, step
from services.policy.domain.supply_calendar import Opportunity

SUBSTITUTE = "substitute"
# Nobody delivers the product, but customers come for it all the same: it is looked at as if it came as its substitute does.
UNSUPPLIED = frozenset({"no_supplier", "supplier_closed", "lead_time_beyond_horizon"})
STANDS_IN = "substitution"
AT_HAND = "substitute_at_hand"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A product that may stand in at a location. ratio: units of it for one of the product it stands in for; covered: units
    of that product for which approved substitutes are on their way already; claimed: units of what it could spare that
    stand in for other products."""

    evidence: Evidence
    ratio: Decimal
    covered: Decimal
    claimed: Decimal = Decimal(0)

    def beside(self, lacking: Evidence) -> Evidence:
        """The evidence of its line in place of a product."""
        other = replace(lacking, hold=None, allotment=None, about=None, round=0)
        about = About(
            SUBSTITUTE, lacking.sku, other=other, ratio=self.ratio, covered=self.covered, claimed=self.claimed
        )
        return replace(self.evidence, hold=None, allotment=None, about=about)


@dataclass(frozen=True, slots=True)
class _Lack:
    """What of a product will be missed between the day its substitute could come and the day its own order could."""

    available: float
    probability: float  # that it runs out before its own order comes
    short: float
    until_days: int


@dataclass(frozen=True, slots=True)
class _Purchase:
    """What is to be bought of the substitute: units, and money it earns net."""

    lack: _Lack
    spare: float
    wanted: float
    quantity: float
    earns: float


def stand_in(lacking: Evidence, candidates: Iterable[Candidate]) -> tuple[Evidence, Recommendation] | None:
    """The first candidate, in the order given, that is worth buying for what `lacking` will miss, with its evidence. None is
    bought once one of them covers it from its shelf."""
    for one in candidates:
        evidence = one.beside(lacking)
        outcome = substitute_line(evidence)
        if isinstance(outcome, Recommendation):
            return evidence, outcome
        if outcome.reason == AT_HAND:
            return None
    return None


def claimed_before(lacking: Sequence[Evidence], candidates: Sequence[Candidate]) -> list[Decimal]:
    """One product that may stand in for several: of what it could spare, how much stands in for those before each of them in
    the order given. So a unit on its shelf is promised once."""
    taken, before = Decimal(0), []
    for evidence, candidate in zip(lacking, candidates, strict=True):
        before.append(taken)
        taken += _claim_of(replace(candidate, claimed=taken).beside(evidence))
    return before


def _claim_of(evidence: Evidence) -> Decimal:
    """Units of what a substitute could spare that the other product would use up."""
    found = _looked_at(evidence)
    if isinstance(found, Withheld):
        return Decimal(0)
    about, (_opportunity, reckoned, lack) = _about(evidence), found
    return decimal_of(min(_missed(about, lack), _spare(about, reckoned)))


def substitute_line(evidence: Evidence) -> Outcome:
    """The line of one substitute: bought while the other product runs out and buying it earns more than it costs."""
    found = _looked_at(evidence)
    if isinstance(found, Withheld):
        return found
    opportunity, reckoned, lack = found
    purchase = _purchase(evidence, _about(evidence), reckoned, lack)
    if isinstance(purchase, Withheld):
        return purchase
    return _recommended(evidence, opportunity, reckoned, purchase)


def _about(evidence: Evidence) -> About:
    about = evidence.about
    assert about is not None and about.other is not None  # it is a substitute
    return about


def _looked_at(evidence: Evidence) -> tuple[Opportunity, Reckoned, _Lack] | Withheld:
    """The substitute's next order, its numbers and what the other product lacks; or why there is nothing to stand in for."""
    about = _about(evidence)
    found = screen(heeded(evidence))
    if isinstance(found, Fault):
        return Withheld(found.reason, found.says, found.field, evidence.as_of)
    assert about.other is not None  # it is a substitute
    reckoned = reckon([evidence], [found])
    lack = _lack_of(about.other, evidence, float(reckoned.columns.lead_days[0]))
    if lack is None or about.other.as_of != evidence.as_of:
        says = f"{about.code} cannot be planned beside {evidence.sku}."
        return Withheld("substitute_not_plannable", says, None, evidence.as_of)
    minimum = float(evidence.policy.parameters.service_minimum)
    if 1.0 - lack.probability >= minimum or not lack.short > 0:
        says = f"{about.code} is not expected to run out before its own order comes."
        return Withheld("substitute_not_needed", says, None, evidence.as_of)
    return found, reckoned, lack


def _missed(about: About, lack: _Lack) -> float:
    """What is missed and not covered, in units of the substitute."""
    return max(lack.short - float(about.covered), 0.0) * float(about.ratio)


def _spare(about: About, reckoned: Reckoned) -> float:
    """What the substitute has above its own reorder point and nobody has claimed, units."""
    above = float(reckoned.levels.available[0]) - float(reckoned.levels.reorder_point[0])
    return max(above - float(about.claimed), 0.0)


def _lack_of(other: Evidence, stands_in: Evidence, comes_days: float) -> _Lack | None:
    """What the other product will miss from the day the substitute could come; None where that cannot be known."""
    found = screen(heeded(other))
    is_unsupplied = isinstance(found, Fault) and found.reason in UNSUPPLIED
    if is_unsupplied:
        other = replace(other, terms=stands_in.terms, deliveries=stands_in.deliveries)
        found = screen(heeded(other))
    if isinstance(found, Fault):
        return None
    reckoned = reckon([other], [found])
    columns, last = reckoned.columns, reckoned.columns.arrivals.shape[1] - 1
    until = float((columns.protection_days if is_unsupplied else columns.lead_days)[0])
    available = float(reckoned.levels.available[0])
    there, before = (
        max(available + float(columns.arrivals[0, min(int(days), last)]), 0.0) for days in (until, comes_days)
    )
    missed = float(columns.demand.expected_shortage(until, there)[0])
    missed_before = float(columns.demand.expected_shortage(min(comes_days, until), before)[0])
    short = max(missed - missed_before, 0.0) if comes_days < until else 0.0
    runs_out = 1.0 - float(columns.demand.probability_at_most(until, there)[0])
    return _Lack(available, round(runs_out, 4), round(short, 4), int(until))


def _purchase(evidence: Evidence, about: About, reckoned: Reckoned, lack: _Lack) -> _Purchase | Withheld:
    """Units to buy: what is missed and not covered, times the ratio, less what the substitute can spare itself."""
    columns, levels, lots = reckoned.columns, reckoned.levels, reckoned.lots
    spare = _spare(about, reckoned)
    wanted = round(_missed(about, lack) - spare, 4)
    if wanted <= 0:
        says = f"What {about.code} will miss is covered by what is on the shelf or on its way."
        return Withheld(AT_HAND, says, None, evidence.as_of)
    pack, smallest = columns.pack[:1], float(lots.smallest[0])
    quantity = float(round_up(np.maximum(np.asarray([wanted]), columns.moq[:1]), pack)[0])
    own = float(lots.quantity[0])
    # The other product's customers use it up as well before it expires.
    room = float(lots.shelf_cap[0]) + lack.short * float(about.ratio) - max(float(levels.position[0]), 0.0) - own
    if quantity > room:
        quantity = float(round_down(np.asarray([max(room, 0.0)]), pack)[0])
    if quantity < smallest or quantity <= 0:
        says = f"The smallest order of {evidence.sku} would expire before it is sold."
        return Withheld("minimum_exceeds_shelf_life", says, "moq", evidence.as_of)
    return _worth(evidence, about, reckoned, _Purchase(lack, spare, wanted, quantity, 0.0))


def _worth(evidence: Evidence, about: About, reckoned: Reckoned, purchase: _Purchase) -> _Purchase | Withheld:
    """The purchase with what it earns: margin of what is sold in place of the other, less the order's cost and holding the
    units too many until they are sold (half of the days they cover, a year at most)."""
    columns, pace = reckoned.columns, float(reckoned.levels.daily_demand[0])
    left = max(purchase.quantity - purchase.wanted, 0.0)
    days = min(left / pace, DAYS_PER_YEAR) if pace > 0 else DAYS_PER_YEAR
    sold = min(purchase.quantity, purchase.wanted)
    holding = left * float(columns.holding_cost[0]) * (days / 2.0) / DAYS_PER_YEAR
    earns = round(sold * float(columns.margin[0]) - holding - float(columns.setup_cost[0]), 4)
    if earns <= 0:
        says = f"Buying {plain(decimal_of(purchase.quantity))} for {about.code} would cost more than it earns."
        return Withheld("substitute_does_not_pay", says, None, evidence.as_of)
    return replace(purchase, earns=earns)


def _recommended(
    evidence: Evidence, opportunity: Opportunity, reckoned: Reckoned, purchase: _Purchase
) -> Recommendation:
    quantity = np.asarray([purchase.quantity])
    without, with_order, empty = projected(reckoned.columns, reckoned.levels, np.arange(1), quantity)
    numbers = Numbers.of(reckoned.columns, reckoned.levels, reckoned.lots, 0, int(empty[0]))._replace(
        quantity=decimal_of(purchase.quantity),
        excess=decimal_of(max(purchase.quantity - purchase.wanted, 0.0)),
    )
    about = evidence.about
    assert about is not None and about.other is not None  # it is a substitute
    line = _line(evidence, opportunity, numbers, purchase)
    what = what_of(line) | {"stands_in_for": about.code}
    bought = recommended_beside(line, SUBSTITUTE, what, _told(line, purchase), np.stack([without[0], with_order[0]]))
    return replace(bought, next_days=(opportunity.next_order_on, opportunity.next_arrive_on))


def _line(evidence: Evidence, opportunity: Opportunity, numbers: Numbers, purchase: _Purchase) -> Line:
    item, terms, as_of, about = evidence.item, evidence.terms, evidence.as_of, evidence.about
    assert item is not None and terms is not None and as_of is not None  # screening refused the others
    assert about is not None and about.other is not None
    unit_cost = cost_at(terms, numbers.quantity)
    amounts = Amounts(
        unit_cost,
        purchase_value(terms, numbers.quantity),
        money(numbers.excess * unit_cost),
        money(decimal_of(purchase.earns)),
        None,
        Decimal("0.00"),
        None,
    )
    is_scenario = bool(active(evidence) or active(about.other))
    reasons = reasons_beside(evidence, amounts.value, is_scenario, STANDS_IN)
    return Line(evidence, item, terms, as_of, opportunity, numbers, amounts, confidence_of(evidence), reasons)


def _told(line: Line, purchase: _Purchase) -> Step:
    about, lack = line.evidence.about, purchase.lack
    assert about is not None  # it is a substitute
    inputs = {
        "stands_in_for": about.code,
        "available": plain(decimal_of(lack.available)),
        "arrive_on": line.opportunity.arrive_on.isoformat(),
        "until": (line.as_of + timedelta(days=lack.until_days + 1)).isoformat(),
        "probability": plain(decimal_of(lack.probability)),
        "short": plain(decimal_of(lack.short, 2)),
        "covered": plain(about.covered),
        "ratio": plain(about.ratio),
        "spare": plain(decimal_of(purchase.spare)),
        "wanted": plain(decimal_of(purchase.wanted, 2)),
        "earns": str(line.amounts.at_risk),
    }
    sentence = SUBSTITUTE
    if about.claimed:
        inputs["claimed"], sentence = plain(about.claimed), "substitute_claimed"
    quantity = plain(line.numbers.quantity)
    return step(SUBSTITUTE, inputs, quantity, unit=line.item.unit, binding=True, sentence=sentence)
