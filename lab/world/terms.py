"""The simulated part, on paper: who supplies what, how fast, in which packs, at which cost. The receipts say none of it.

In: the chosen products with their real manufacturer, department, category and price. Out: suppliers and terms. Ranges by
department are plausible for a grocer, not measured; each draw is by name, so a product has the same terms in every run.
Shelf lives are about five times those of a shop: the panel's households buy a fraction of what the shop sells, so its
shelf would turn that much slower than a real one, and nothing fresh could ever be bought for it.
"""

from dataclasses import dataclass
from decimal import Decimal

from lab.world.chance import between, pick, share

CENT = Decimal("0.01")
# A manufacturer with fewer products than this in the world delivers through its department's wholesaler.
OWN_DELIVERY_PRODUCTS_MIN = 12
PRIVATE_LABEL_MANUFACTURER = 69
EVERY_WEEKDAY = (0, 1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Habit:
    """What is usual in a department. Lead time in days, margin as share of price, shelf life in days."""

    title: str
    lead_days: tuple[int, int]
    margin: tuple[float, float]
    shelf_life_days: int | None
    order_weekdays: tuple[tuple[int, ...], ...]
    minimum_order_value: tuple[int, int]


FRESH_DAYS = ((0, 1, 2, 3, 4, 5), EVERY_WEEKDAY, (0, 2, 4))
DRY_DAYS = ((0, 3), (1, 4), (0, 2, 4), (2,))
HABITS = {
    "PRODUCE": Habit("Produce", (1, 3), (0.34, 0.46), 105, FRESH_DAYS, (0, 20)),
    "MEAT": Habit("Meat", (2, 3), (0.22, 0.32), 105, FRESH_DAYS, (0, 30)),
    "MEAT-PCKGD": Habit("Packaged meat", (2, 4), (0.24, 0.34), 225, FRESH_DAYS, (0, 30)),
    "SEAFOOD": Habit("Seafood", (1, 2), (0.25, 0.35), 70, FRESH_DAYS, (0, 30)),
    "SEAFOOD-PCKGD": Habit("Packaged seafood", (2, 4), (0.25, 0.35), 300, FRESH_DAYS, (0, 30)),
    "DELI": Habit("Deli", (2, 3), (0.35, 0.48), 105, FRESH_DAYS, (0, 20)),
    "PASTRY": Habit("Bakery", (1, 2), (0.40, 0.55), 70, FRESH_DAYS, (0, 15)),
    "DRUG GM": Habit("Drug and general merchandise", (5, 10), (0.25, 0.38), None, DRY_DAYS, (20, 60)),
    "NUTRITION": Habit("Nutrition", (4, 8), (0.28, 0.38), 270, DRY_DAYS, (15, 40)),
    "SPIRITS": Habit("Spirits", (5, 9), (0.20, 0.28), None, DRY_DAYS, (30, 80)),
}
DRY = Habit("Grocery", (3, 7), (0.20, 0.30), 365, DRY_DAYS, (10, 50))
CHILLED = Habit("Dairy and chilled", (2, 3), (0.22, 0.30), 175, FRESH_DAYS, (0, 25))
BREAD = Habit("Bread", (1, 2), (0.30, 0.42), 70, FRESH_DAYS, (0, 15))
CHILLED_CATEGORIES = ("FLUID MILK", "MILK BY-PRODUCTS", "EGGS", "YOGURT", "CHEESE", "REFRGRATD", "BUTTER", "MARGARINES")
PACKS = (1, 2, 3, 4, 6, 8, 12, 18, 24)
# A pack lasts a store about this long, perishables half their shelf life; makers and grocers agree on packs by that.
PACK_COVER_DAYS = 28


@dataclass(frozen=True, slots=True)
class Supplier:
    """Who delivers; order weekdays count from 0 = Monday; minimum order value in US dollars, None when there is none."""

    supplier: str
    name: str
    lead_time_days: int
    order_weekdays: tuple[int, ...]
    minimum_order_value: Decimal | None


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a product is delivered. Pack and MOQ in stocking units, cost in US dollars per unit."""

    supplier: str
    lead_time_days: int
    unit_cost: Decimal
    pack: int
    moq: int
    shelf_life_days: int | None


def habit_of(department: str, category: str) -> Habit:
    """What is usual for a product: by its department, with chilled and bread told apart from dry grocery."""
    if department == "GROCERY":
        if category.startswith(CHILLED_CATEGORIES):
            return CHILLED
        return BREAD if category.startswith("BAKED BREAD") else DRY
    return HABITS.get(department, DRY)


def supplier_of(manufacturer: int, habit: Habit, products_of_manufacturer: int) -> Supplier:
    """The supplier of one manufacturer's products of one kind: the maker itself, its own brand, or a wholesaler."""
    kind = habit.title.split()[0].upper()
    if manufacturer == PRIVATE_LABEL_MANUFACTURER:
        code, name = f"OWN-{kind}", f"Own brand, {habit.title.lower()}"
    elif products_of_manufacturer >= OWN_DELIVERY_PRODUCTS_MIN:
        code, name = f"M{manufacturer}-{kind}", f"Maker {manufacturer}, {habit.title.lower()}"
    else:
        code, name = f"WHOLE-{kind}", f"Wholesale, {habit.title.lower()}"
    low, high = habit.minimum_order_value
    minimum = int(between(low, high, "minimum", code)) // 5 * 5
    return Supplier(
        supplier=code,
        name=name,
        lead_time_days=pick(range(habit.lead_days[0], habit.lead_days[1] + 1), "lead", code),
        order_weekdays=pick(habit.order_weekdays, "weekdays", code),
        minimum_order_value=Decimal(minimum) if minimum else None,
    )


def terms_of(product: int, supplier: Supplier, habit: Habit, price: Decimal, units_per_day: float) -> Terms:
    """Terms of one product; `price` per unit as sold (median), `units_per_day` in an average store that sells it."""
    margin = between(*habit.margin, "margin", product)
    cover_days = min(PACK_COVER_DAYS, (habit.shelf_life_days or PACK_COVER_DAYS * 2) / 2)
    pack = max(size for size in PACKS if size <= max(1.0, units_per_day * cover_days))
    return Terms(
        supplier=supplier.supplier,
        lead_time_days=supplier.lead_time_days,
        unit_cost=max(CENT, (price * Decimal(1 - margin)).quantize(CENT)),
        pack=pack,
        # Every fourth product cannot be had by the single pack.
        moq=pack * 2 if share("moq", product) < 0.25 else pack,
        shelf_life_days=habit.shelf_life_days,
    )
