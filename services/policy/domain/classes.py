"""ABC by value and XYZ by variability: which class an item is in, its goal, and the fill rate that was achieved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from services.policy.domain.parameters import Parameters
from services.policy.domain.refusal import PolicyRefusal, require_not_negative

# Cumulative share of value up to which an item is A, and B (Pareto's rule as the field uses it).
SHARE_A, SHARE_B = Decimal("0.80"), Decimal("0.95")
# Coefficient of variation of daily demand up to which an item is X (steady), and Y (varying).
VARIES_X, VARIES_Y = Decimal("0.5"), Decimal("1.0")
# Classes stand on a quarter of movements, and on four weeks at the least.
WINDOW_DAYS, DAYS_MIN = 91, 28


@dataclass(frozen=True, slots=True)
class Demanded:
    """What is known of one item's past: value sold (money), mean and spread of demand by day, units asked for and served."""

    item: str
    value: Decimal
    mean_units: Decimal
    sd_units: Decimal
    asked_units: Decimal = Decimal(0)
    served_units: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Achieved:
    """One class: its items, its goal, and the share of demand that was met from stock (None: nothing was asked for)."""

    name: str
    items: int
    goal: Decimal
    fill_rate: Decimal | None
    value: Decimal


def classes_of(items: Sequence[Demanded]) -> dict[str, str]:
    """Class of each item, such as `AX`. ABC by falling value: A until 80 % of all value, B until 95 %, then C; the item that
    crosses a border belongs to the better class; without any value all are C. XYZ by the coefficient of variation;
    without demand Z. Raises PolicyRefusal: items_invalid, value_negative.
    Source: Silver, Pyke & Thomas, section 2.3; Scholz-Reiter et al. 2012 for XYZ.
    """
    if len({one.item for one in items}) != len(items):
        raise PolicyRefusal("items_invalid", "items need different names")
    for one in items:
        require_not_negative(
            "value_negative", value=float(one.value), sd=float(one.sd_units), mean=float(one.mean_units)
        )
    whole = sum((one.value for one in items), Decimal(0))
    found: dict[str, str] = {}
    before = Decimal(0)
    for one in sorted(items, key=lambda each: (-each.value, each.item)):
        if whole <= 0 or one.value <= 0 or before >= SHARE_B * whole:
            letter = "C"
        else:
            letter = "A" if before < SHARE_A * whole else "B"
        before += one.value
        found[one.item] = letter + _steadiness(one)
    return found


def _steadiness(one: Demanded) -> str:
    if one.mean_units <= 0:
        return "Z"
    varies = one.sd_units / one.mean_units
    return "X" if varies <= VARIES_X else "Y" if varies <= VARIES_Y else "Z"


def achieved(items: Sequence[Demanded], classes: Mapping[str, str], rules: Parameters) -> list[Achieved]:
    """Goal and achieved fill rate of every class that has items, in the order of their names.

    The fill rate is units served over units asked for, of all items of the class together (not a mean of rates).
    """
    groups: dict[str, list[Demanded]] = {}
    for one in items:
        groups.setdefault(classes[one.item], []).append(one)
    told = []
    for name, members in sorted(groups.items()):
        asked = sum((one.asked_units for one in members), Decimal(0))
        served = sum((min(one.served_units, one.asked_units) for one in members), Decimal(0))
        rate = (served / asked).quantize(Decimal("0.0001")) if asked > 0 else None
        value = sum((one.value for one in members), Decimal(0))
        told.append(Achieved(name, len(members), rules.service_goal(name[0], name[1]), rate, value))
    return told
