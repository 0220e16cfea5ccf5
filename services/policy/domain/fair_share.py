"""Scarce supply among those who want it: customers' commitments first, then the shelf's minimum, then equal chances."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kernel.distribution import GRID, Floats, curve_probability
from services.policy.domain.refusal import PolicyRefusal

UNITS_MAX = 5_000_000  # shares are given unit by unit; more is a question for another unit of measure
COMMITMENT, PRESENTATION, CHANCE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Claim:
    """One claimant. Units: `position` (on hand + on order - reserved - backorders), `wanted` beyond it, `presentation`
    to stand on the shelf. `curve`: demand at the probabilities of `GRID`. Priority 1 goes first; `weight` multiplies the
    probability of a stock-out of its class."""

    name: str
    position: float
    wanted: float
    presentation: float
    curve: Floats
    priority: int = 1
    weight: float = 1.0


def fair_share(claims: Sequence[Claim], supply: float, *, step: float = 1.0) -> dict[str, float]:
    """Units for each claimant: together the supply, or all that is wanted when there is enough.

    Each step of units goes where it is worth most: what customers were promised (position below zero), then presentation
    minimum, each by priority; then to the highest weighted probability of a stock-out. As every step is given in the same
    order whatever the supply, shares never fall when the supply rises; two claimants of one class never differ by more
    than one step in what they still lack. Raises PolicyRefusal: supply_negative, claims_invalid.
    Source: Silver, Pyke & Thomas, section 11.5 (equal run-out probability); de Kok 1990.
    """
    if not (0 <= supply < float("inf")) or not step > 0:
        raise PolicyRefusal("supply_negative", f"{supply=} must be a finite number of at least 0, {step=} above 0")
    if len({one.name for one in claims}) != len(claims):
        raise PolicyRefusal("claims_invalid", "claimants need different names")
    steps = [max(int(np.ceil(round(one.wanted / step, 9))), 0) for one in claims]
    if sum(steps) > UNITS_MAX:
        raise PolicyRefusal("claims_invalid", f"{sum(steps)} steps are wanted, at most {UNITS_MAX}; use a larger step")
    if not sum(steps):
        return {one.name: 0.0 for one in claims}
    who = np.repeat(np.arange(len(claims)), steps)
    nth = np.arange(len(who)) - np.repeat(np.cumsum(steps) - steps, steps)
    keys = np.zeros((3, len(who)))
    for index, one in enumerate(claims):
        if one.curve.shape != (len(GRID),):
            raise PolicyRefusal("claims_invalid", f"{one.name} needs a curve of {len(GRID)} points")
        mine = who == index
        stock = one.position + nth[mine] * step
        curves = np.broadcast_to(one.curve, (len(stock), len(GRID)))
        chance = (1.0 - curve_probability(curves, stock)) * one.weight
        phase = np.where(stock < 0, COMMITMENT, np.where(stock < one.presentation, PRESENTATION, CHANCE))
        # In the last phase the chance decides; before it, priority does, and what is lacking most comes first.
        keys[0, mine] = phase
        keys[1, mine] = np.where(phase == CHANCE, 0, one.priority)
        keys[2, mine] = np.where(
            phase == CHANCE, -chance, stock - np.where(phase == PRESENTATION, one.presentation, 0.0)
        )
    # Names break ties, so that the order of the claims does not matter.
    by_name = np.argsort(np.argsort([one.name for one in claims]))
    order = np.lexsort((by_name[who], nth, keys[2], keys[1], keys[0]))
    given = np.bincount(who[order[: int(supply / step + 1e-9)]], minlength=len(claims))
    return {one.name: float(given[index] * step) for index, one in enumerate(claims)}
