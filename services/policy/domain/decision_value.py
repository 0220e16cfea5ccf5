"""What a person's word about an order was worth: the cost of the quantity proposed less the cost of the quantity decided.

Both quantities are walked day by day through what was really sold afterwards. From the next order day on both worlds order
what is missing to the reorder point, as `replay` does and for the same reason: what differs is then the decision's own doing,
and it is over when the worlds are the same again: same stock, same orders on their way. Without packs and minimums, which
would keep two worlds out of step for ever. The values of all decisions on an item add up to what all of them changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from services.policy.domain.numbers import CENT, money
from services.policy.domain.refusal import PolicyRefusal

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Rates:
    """Money: of a unit not sold, of a unit left at the close of a day, of an order, and of an order for each unit of the lot
    that orders like it have (later orders are no decision of this one: they cost by the unit)."""

    margin: Decimal
    holding_a_day: Decimal
    ordering: Decimal
    ordering_a_unit: Decimal


@dataclass(frozen=True, slots=True)
class Afterwards:
    """What is known of an item from the recommendation on. Day 0 is the closed day the evidence stands on; a receipt counts
    from the opening of its day. Units; days as numbers of days after day 0.

    `committed`: reserved or owed to customers. `coming`: on its way at the recommendation, the same in both worlds. `receipt`:
    the day the line's own order arrives. `sold`: of day 1, 2, …, up to the last closed day. `is_out`: the day closed with
    nothing on hand, so that more may have been asked for than was sold. `level`: the reorder point; `later`: for each order
    day after the line's the day its order arrives.
    """

    on_hand: Decimal
    committed: Decimal
    coming: Mapping[int, Decimal]
    receipt: int
    sold: tuple[Decimal, ...]
    is_out: tuple[bool, ...]
    level: Decimal
    later: Mapping[int, int]
    rates: Rates

    def __post_init__(self) -> None:
        if len(self.sold) != len(self.is_out):
            raise PolicyRefusal(
                "history_invalid", "what was sold and what was out of stock must be told of the same days"
            )
        arrivals = [self.receipt, *(self.later[day] for day in sorted(self.later))]
        if self.receipt < 1 or arrivals != sorted(arrivals) or any(self.later[day] < day for day in self.later):
            raise PolicyRefusal("history_invalid", "orders arrive after the evidence and one after the other")


@dataclass(frozen=True, slots=True)
class Parts:
    """Money, each part to the cent, so that the value is their sum."""

    holding: Decimal = ZERO
    lost_margin: Decimal = ZERO
    ordering: Decimal = ZERO

    @property
    def value(self) -> Decimal:
        return self.holding + self.lost_margin + self.ordering


@dataclass(frozen=True, slots=True)
class Valued:
    """`settled`: known. `censored`: on `days_out` days more may have been asked for than was sold, and it would have mattered;
    the value lies between `low` and `high`, `parts` is what it comes to if nobody asked for more. `open`: the worlds still
    differ; `parts` is what it came to so far. `met`: the day they were the same again. Above zero the decision was the better
    one of the two quantities."""

    status: str
    parts: Parts
    low: Decimal
    high: Decimal
    days_out: int
    met: int | None


def value_of(facts: Afterwards, proposed: Decimal, decided: Decimal) -> Valued:
    """Cost with the proposed quantity less cost with the decided one (0: no order), until the worlds meet.

    What is not there is lost, not owed, as everywhere in the policy. Raises PolicyRefusal: quantity_negative.
    """
    if proposed < 0 or decided < 0:
        raise PolicyRefusal("quantity_negative", f"{proposed} proposed and {decided} decided: neither can be negative")
    worlds = _World.of(facts, proposed), _World.of(facts, decided)
    met = 0 if worlds[0].state == worlds[1].state else None
    days_out = 0
    for day, (sold, is_out) in enumerate(zip(facts.sold, facts.is_out, strict=True), 1):
        if met is not None:
            break
        for one in worlds:
            one.begin(day)
            one.end(sold)
        # Where neither has anything left, whoever asked for more would have got nothing in both.
        days_out += is_out and any(one.stock > 0 for one in worlds)
        if worlds[0].state == worlds[1].state:
            met = day
    parts = _difference(facts.rates, *worlds)
    if met is None:
        return Valued("open", parts, parts.value, parts.value, days_out, None)
    if not days_out:
        return Valued("settled", parts, parts.value, parts.value, 0, met)
    low, high = _bounds(facts, proposed, decided)
    return Valued("censored", parts, low, high, days_out, met)


def _bounds(facts: Afterwards, proposed: Decimal, decided: Decimal) -> tuple[Decimal, Decimal]:
    """Between which values it lies, whatever was asked for on days out of stock.

    Of the units by which the larger order is larger, none or all may have been sold beyond what the smaller one sold, never
    more: who begins with more has, at each later time, sold as much or more, by those units at most. Those not sold more are
    ordered later in the other world. On no day do the stocks differ by more than those units; when the worlds met is as
    uncertain as what was asked for, so it is all days known.
    """
    rates, more = facts.rates, abs(decided - proposed)
    flat = (int(min(decided, proposed) > 0) - 1) * rates.ordering
    ends = flat + more * rates.margin, flat + more * rates.ordering_a_unit
    held = more * rates.holding_a_day * max(len(facts.sold) - facts.receipt + 1, 0)
    # Parts are rounded one by one: together they may be a cent beside their sum.
    low, high = money(min(ends) - held) - CENT, money(max(ends) + held) + CENT
    return (low, high) if decided > proposed else (-high, -low)


@dataclass(slots=True)
class _World:
    """One of the two: stock, what is on its way by day, and what it cost so far, in units."""

    facts: Afterwards
    stock: Decimal
    coming: dict[int, Decimal]
    orders: int
    ordered_later: Decimal = ZERO
    left_days: Decimal = ZERO
    lost: Decimal = ZERO
    state: tuple[Decimal, tuple[tuple[int, Decimal], ...]] = field(init=False)

    def __post_init__(self) -> None:
        self.state = self._state()

    @staticmethod
    def of(facts: Afterwards, quantity: Decimal) -> "_World":
        coming = dict(facts.coming)
        if quantity:
            coming[facts.receipt] = coming.get(facts.receipt, ZERO) + quantity
        return _World(facts, facts.on_hand, coming, int(quantity > 0))

    def begin(self, day: int) -> None:
        """Order where it is an order day, by yesterday's close; then what is due comes in."""
        arrives = self.facts.later.get(day)
        if arrives is not None:
            missing = self.facts.level + self.facts.committed - self.stock - sum(self.coming.values(), ZERO)
            if missing > 0:
                self.coming[arrives] = self.coming.get(arrives, ZERO) + missing
                self.ordered_later += missing
        self.stock += self.coming.pop(day, ZERO)

    def end(self, asked: Decimal) -> None:
        sold = min(asked, max(self.stock, ZERO))
        self.stock -= sold
        self.lost += asked - sold
        self.left_days += max(self.stock, ZERO)
        self.state = self._state()

    def _state(self) -> tuple[Decimal, tuple[tuple[int, Decimal], ...]]:
        return self.stock, tuple(sorted(self.coming.items()))


def _difference(rates: Rates, proposed: _World, decided: _World) -> Parts:
    return Parts(
        money((proposed.left_days - decided.left_days) * rates.holding_a_day),
        money((proposed.lost - decided.lost) * rates.margin),
        money(
            (proposed.orders - decided.orders) * rates.ordering
            + (proposed.ordered_later - decided.ordered_later) * rates.ordering_a_unit
        ),
    )
