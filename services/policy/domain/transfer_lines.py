"""Transfers before buys as lines of their own: what locations that have too much of a product send to those that lack it.

The flow is chosen for all locations of a product together; each line carries both sides' evidence and what was chosen, so
that it derives again without the others: the sender's protected stock, what the receiver gains, and the cost.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

import numpy as np

from services.policy.domain.beside_line import recommended_beside
from services.policy.domain.evidence import About, Evidence, OpenOrder
from services.policy.domain.fair_share import Claim, fair_share
from services.policy.domain.line import Amounts, Line, Numbers
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
from services.policy.domain.transfers import Site, Transfer, best_transfers, valued

TRANSFER, ALLOCATE = "transfer", "allocate"
# What a transfer line proposed in the same plan, and one that leaves for another location, are called among open orders.
PROPOSED, OUTGOING = "proposed", "outgoing"
Lane = tuple[str, str]  # (sender, receiver)
Item = tuple[str, str]  # (sku, location)


@dataclass(frozen=True, slots=True)
class _Side:
    """One location of the product, reckoned."""

    evidence: Evidence
    opportunity: Opportunity
    reckoned: Reckoned
    row: int

    @property
    def leaving(self) -> float:
        """Units promised to other locations, and not on their way yet."""
        return -sum(float(one.quantity) for one in self.evidence.open_orders if one.quantity < 0)

    def receiver(self, days: int) -> Site:
        """As one that lacks: its demand from the transfer's arrival until a bought order could come, what is there for it, and
        at most what it would buy."""
        columns, levels, row = self.reckoned.columns, self.reckoned.levels, self.row
        lead = float(columns.lead_days[row])
        one = columns.demand.rows(np.asarray([row]))
        until = int(min(lead, columns.arrivals.shape[1] - 1))
        there = float(levels.available[row]) + float(columns.arrivals[row, until])
        first = float(one.mean(min(float(days), lead))[0])
        return Site(
            name=self.evidence.location,
            available=max(there - first, 0.0) if there >= 0 else there,
            floor=float("inf"),
            wanted=float(self.reckoned.lots.wanted[row]) if lead > days else 0.0,
            curve=one.curve(max(lead - days, 0.0))[0],
            margin=float(columns.margin[row]),
        )

    def sender(self) -> Site:
        """As one that spares: what stands on its shelf beyond its own reorder point; nothing on order counts."""
        columns, levels, row = self.reckoned.columns, self.reckoned.levels, self.row
        return Site(
            name=self.evidence.location,
            available=float(levels.available[row]) - self.leaving,
            floor=float(levels.reorder_point[row]),
            wanted=0.0,
            curve=columns.demand.rows(np.asarray([row])).curve(columns.protection_days[row])[0],
            margin=float(columns.margin[row]),
        )


def transfers_of(
    lacking: Sequence[Evidence], others: Sequence[Evidence], closed: Collection[Lane] = ()
) -> list[tuple[Evidence, Recommendation]]:
    """Transfers of one product that pay, each with the evidence it derives from.

    `lacking` are the locations that would buy, `others` those that might spare; `closed`: lanes a person wants left alone.
    Where the senders together have less than is wanted, everybody's share is fair first (`fair_share`).
    """
    receivers, senders = _sides(lacking), _sides(others)
    if not receivers or not senders:
        return []
    rules = receivers[0].evidence.policy.parameters
    step_units = max(float(receivers[0].reckoned.columns.step[0]), 1.0)
    spare = [one.sender() for one in senders]
    wanting = [one.receiver(int(rules.transfer_days)) for one in receivers]
    shared = _shares(receivers, wanting, spare, step_units)
    lanes = {(a.name, b.name): float(rules.transfer_unit_cost) for a in spare for b in wanting if a.name != b.name}
    found = best_transfers(
        [*spare, *(replace(one, wanted=shared.get(one.name, one.wanted)) for one in wanting)],
        {lane: cost for lane, cost in lanes.items() if lane not in closed},
        fixed_cost=float(rules.transfer_fixed_cost),
        step=step_units,
    )
    by_name = {one.evidence.location: one.evidence for one in (*receivers, *senders)}
    kind = ALLOCATE if shared else TRANSFER
    proposed = []
    for one in found:
        about = About(kind, one.sender, decimal_of(one.units), by_name[one.sender])
        evidence = replace(by_name[one.receiver], hold=None, allotment=None, about=about)
        outcome = transfer_line(evidence)
        if isinstance(outcome, Recommendation):
            proposed.append((evidence, outcome))
    return proposed


def arriving(transfer: Evidence) -> OpenOrder:
    """A proposed transfer as the receiver's own plan counts it: what comes that way need not be bought."""
    about, as_of = transfer.about, transfer.as_of
    assert about is not None and as_of is not None  # made by `transfers_of`
    days = timedelta(days=max(int(transfer.policy.parameters.transfer_days), 1))
    return OpenOrder(f"{about.kind} from {about.code}", about.units, as_of + days, PROPOSED)


def coming(transfers: Iterable[tuple[Evidence, Recommendation]]) -> dict[Item, tuple[OpenOrder, ...]]:
    """What comes to each receiver by these transfers, as its own plan counts it."""
    found: dict[Item, tuple[OpenOrder, ...]] = {}
    for evidence, _outcome in transfers:
        item = (evidence.sku, evidence.location)
        found[item] = (*found.get(item, ()), arriving(evidence))
    return found


def receiving(evidence: Evidence, arrivals: Mapping[Item, tuple[OpenOrder, ...]]) -> Evidence:
    """The evidence with the transfers that come to it; the same one where none does."""
    more = arrivals.get((evidence.sku, evidence.location), ())
    return replace(evidence, open_orders=(*evidence.open_orders, *more)) if more else evidence


def _sides(evidences: Sequence[Evidence]) -> list[_Side]:
    ready = [(one, found) for one in evidences if not isinstance(found := screen(heeded(one)), Fault)]
    if not ready:
        return []
    reckoned = reckon([one for one, _found in ready], [found for _one, found in ready])
    return [_Side(one, found, reckoned, row) for row, (one, found) in enumerate(ready)]


def _shares(
    receivers: Sequence[_Side], wanting: Sequence[Site], spare: Sequence[Site], step_units: float
) -> dict[str, float]:
    """Fair shares where there is less to give than is wanted by more than one; empty where there is enough."""
    there = sum(max(np.floor(round((one.available - one.floor) / step_units, 9)), 0.0) for one in spare) * step_units
    wanted = sum(one.wanted for one in wanting)
    if sum(one.wanted > 0 for one in wanting) < 2 or wanted <= there:
        return {}
    claims = [
        Claim(site.name, site.available, site.wanted, float(side.reckoned.columns.presentation_minimum[side.row]), site.curve)
        for side, site in zip(receivers, wanting, strict=True)
    ]  # fmt: skip
    return fair_share(claims, there, step=step_units)


def transfer_line(evidence: Evidence) -> Outcome:
    """The line of one transfer: proposed while the sender can spare it and it gains more than it risks and costs."""
    about = evidence.about
    assert about is not None and about.other is not None  # the caller dispatches on it
    both = _sides([evidence]), _sides([about.other])
    if not both[0] or not both[1]:
        return Withheld("transfer_not_plannable", "One of both locations cannot be planned.", None, evidence.as_of)
    receiver, sender = both[0][0], both[1][0]
    rules = evidence.policy.parameters
    units = float(about.units)
    giving, getting = sender.sender(), receiver.receiver(int(rules.transfer_days))
    cost = units * float(rules.transfer_unit_cost) + float(rules.transfer_fixed_cost)
    sent = valued(giving, getting, units, cost)
    if units > giving.available - giving.floor + 1e-6:
        says = f"{about.code} can no longer spare {plain(about.units)} above its own reorder point."
        return Withheld("sender_needs_it", says, None, evidence.as_of)
    if sent.benefit <= 0:
        says = f"Sending {plain(about.units)} from {about.code} gains no more than it risks and costs."
        return Withheld("transfer_does_not_pay", says, None, evidence.as_of)
    return _recommended(receiver, giving, sent)


def _recommended(receiver: _Side, giving: Site, sent: Transfer) -> Recommendation:
    evidence, opportunity = receiver.evidence, receiver.opportunity
    after = replace(evidence, open_orders=(*evidence.open_orders, arriving(evidence)))
    reckoned = reckon([evidence, after], [opportunity, opportunity])
    expected, _same, empty = projected(reckoned.columns, reckoned.levels, np.arange(2), np.zeros(2))
    numbers = Numbers.of(reckoned.columns, reckoned.levels, reckoned.lots, 0, int(empty[0]))
    line = _line(evidence, opportunity, numbers, sent)
    about = evidence.about
    assert about is not None  # it is a transfer
    what = what_of(line) | {
        "order_on": (line.as_of + timedelta(days=1)).isoformat(),
        "arrive_on": arriving(evidence).arrive_on.isoformat(),
        "from_location": about.code,
    }
    what = {name: value for name, value in what.items() if name not in ("supplier", "moq", "pack")}
    return recommended_beside(line, about.kind, what, _told(line, giving, sent), expected)


def _line(evidence: Evidence, opportunity: Opportunity, numbers: Numbers, sent: Transfer) -> Line:
    item, terms, as_of, about = evidence.item, evidence.terms, evidence.as_of, evidence.about
    assert item is not None and terms is not None and as_of is not None and about is not None  # screened before
    assert terms.unit_cost is not None
    zero = Decimal("0.00")
    at_risk = money(decimal_of(sent.benefit))
    amounts = Amounts(terms.unit_cost, money(about.units * terms.unit_cost), zero, at_risk, None, zero, None)
    # Scarce stock is dealt out by a person; plenty moves by rule within the limits.
    always = "constrained_supply" if about.kind == ALLOCATE else None
    reasons = reasons_beside(evidence, amounts.value, bool(active(evidence)), always)
    moved = numbers._replace(quantity=about.units, excess=Decimal(0))
    return Line(evidence, item, terms, as_of, opportunity, moved, amounts, confidence_of(evidence), reasons)


def _told(line: Line, giving: Site, sent: Transfer) -> Step:
    about = line.evidence.about
    assert about is not None  # it is a transfer
    inputs = {
        "from_location": about.code,
        "available": plain(decimal_of(giving.available)),
        "floor": plain(decimal_of(giving.floor)),
        "spare": plain(decimal_of(giving.available - giving.floor)),
        "avoided": str(money(decimal_of(sent.avoided))),
        "risk": str(money(decimal_of(sent.risk))),
        "cost": str(money(decimal_of(sent.cost))),
        "benefit": str(line.amounts.at_risk),
    }
    return step(about.kind, inputs, plain(about.units), unit=line.item.unit, binding=True)
