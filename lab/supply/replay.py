"""The days after `today`, lived forward: orders arrive, shelves sell what they hold, stores close. A state and a day, out come events.

The physical world is the state: units on each shelf and orders on their way. Sales are the real receipts, cut to what is
on the shelf, because what was not there could not be sold. Suppliers are simulated: most deliver as ordered, one in ten a
day late. Everything follows from the state, so a day that is told again after a crash is told in the same words.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from lab.world.build import World
from lab.world.chance import share
from lab.world.shape import LAST_DAY
from lab.world.story import MASTER_DATA, WAREHOUSE, Event, at, closes_of_day, event, sales_of_day

LATE_SHARE = 0.1
ANSWER_AT, ARRIVE_AT = time(4, 0), time(6, 0)


@dataclass(slots=True)
class Delivery:
    """An order on its way: what comes where, and the day number on which it arrives."""

    order_id: str
    location: str
    day: int
    lines: list[tuple[str, int]]


@dataclass(slots=True)
class Physical:
    """What is physically where. `day` is the next business day to live; `due` are the deliveries it starts with."""

    fingerprint: str
    day: int
    on_hand: list[int]
    deliveries: list[Delivery] = field(default_factory=list)
    due: list[Delivery] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    @classmethod
    def at_close(cls, world: World) -> Self:
        """The state at the close of the world's `today`."""
        return cls(
            world.shape.fingerprint(), world.shape.history_days, [int(units) for units in world.items["on_hand"]]
        )

    @classmethod
    def load(cls, file: Path, world: World) -> Self:
        """The kept state; that of the world's `today` when there is none, or it is of another world."""
        try:
            kept = json.loads(file.read_text())
        except (OSError, ValueError):
            return cls.at_close(world)
        if kept.get("fingerprint") != world.shape.fingerprint():
            return cls.at_close(world)
        for name in ("deliveries", "due"):
            kept[name] = [
                Delivery(**{**one, "lines": [(sku, units) for sku, units in one["lines"]]}) for one in kept[name]
            ]
        return cls(**kept)

    def save(self, file: Path) -> None:
        """Keep the state, whole or not at all."""
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self)))
        partial.replace(file)


class Replay:
    """Lives a world forward, one business day at a time. Callers save the state before they send a day's events."""

    def __init__(self, world: World, state: Physical) -> None:
        self.world = world
        self.state = state
        self._item = {
            (sku, location): number for number, (sku, location) in enumerate(zip(world.skus, world.places, strict=True))
        }

    @property
    def business_date(self) -> date:
        """The day that is lived next."""
        return self.world.day(self.state.day)

    @property
    def is_over(self) -> bool:
        """Whether the receipts have ended."""
        return self.business_date > LAST_DAY

    def take_order(self, order: dict[str, Any]) -> list[Event]:
        """Accept an order as the supplier does; returns its acknowledgement and confirmation, nothing when known already."""
        if order["order_id"] in self.state.seen or order["kind"] != "purchase_order":
            return []
        self.state.seen.append(order["order_id"])
        late_days = 1 if share("late", order["order_id"]) < LATE_SHARE else 0
        # Whatever an order wishes, it cannot arrive on a morning that is past.
        day = max((date.fromisoformat(order["arrive_on"]) - self.world.day(0)).days + late_days, self.state.day)
        # Two lines may ask for the same product; it comes on one pallet, and one receipt tells of it.
        units: dict[str, int] = {}
        for line in order["lines"]:
            units[str(line["sku"])] = units.get(str(line["sku"]), 0) + int(Decimal(line["quantity"]))
        lines = list(units.items())
        self.state.deliveries.append(Delivery(order["order_id"], order["location"], day, lines))
        return [
            self._update(order["order_id"], order["location"], status, lines, day)
            for status in ("acknowledged", "confirmed")
        ]

    def begin_day(self) -> None:
        """Decide what arrives today. Save the state after it: from here on the day is fixed."""
        if not self.state.due:
            self.state.due = [one for one in self.state.deliveries if one.day <= self.state.day]
            self.state.deliveries = [one for one in self.state.deliveries if one.day > self.state.day]

    def events_of_day(self) -> Iterator[Event]:
        """The day in order: deliveries, sales, closes. Changes nothing in the state."""
        shelf = dict(enumerate(self.state.on_hand))
        for delivery in self.state.due:
            for sku, units in delivery.lines:
                shelf[self._item[sku, delivery.location]] += units
            yield from self._arrival(delivery)
        yield from sales_of_day(self.world, self.state.day, shelf)
        yield from closes_of_day(self.world, self.state.day)

    def end_day(self) -> None:
        """All of the day's events are accepted: the shelves are what they are, and tomorrow comes. Save after it."""
        shelf = dict(enumerate(self.state.on_hand))
        for delivery in self.state.due:
            for sku, units in delivery.lines:
                shelf[self._item[sku, delivery.location]] += units
        for _ in sales_of_day(self.world, self.state.day, shelf):
            pass
        self.state.on_hand = [shelf[number] for number in range(len(shelf))]
        self.state.due = []
        self.state.day += 1

    def _arrival(self, delivery: Delivery) -> Iterator[Event]:
        tenant, day = self.world.shape.tenant, self.business_date
        when = at(day, ARRIVE_AT)
        for sku, units in delivery.lines:
            body = {
                "tenant": tenant,
                "sku": sku,
                "location": delivery.location,
                "kind": "receipt",
                "quantity": str(units),
            }
            body |= {"business_date": day.isoformat(), "moved_at": when, "order_id": delivery.order_id}
            yield event(WAREHOUSE, "stock.moved.v1", when, body, tenant, delivery.order_id, sku)
        yield self._update(delivery.order_id, delivery.location, "received", delivery.lines, self.state.day)

    def _update(
        self, order_id: str, location: str, status: str, lines: list[tuple[str, int]], arrival_day: int
    ) -> Event:
        tenant = self.world.shape.tenant
        is_answer = status != "received"
        day = self.business_date - timedelta(days=1) if is_answer else self.business_date
        when = at(self.business_date, ANSWER_AT if is_answer else ARRIVE_AT)
        body: dict[str, Any] = {"tenant": tenant, "order_id": order_id, "status": status, "location": location}
        body |= {"business_date": day.isoformat(), "updated_at": when}
        if status != "acknowledged":
            arrive_on = self.world.day(arrival_day).isoformat()
            body["lines"] = [{"sku": sku, "quantity": str(units), "arrive_on": arrive_on} for sku, units in lines]
        return event(MASTER_DATA, "order.updated.v1", when, body, tenant, order_id, status)
