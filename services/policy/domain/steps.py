"""The derivation in words: each step carries its inputs and result, and its sentence is filled from them and nothing else."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple


class Step(NamedTuple):
    """One step; `inputs` and `result` are contract strings, `says` is rendered from them. `binding`: it changed the number.

    A named tuple: thirteen are made for every order, in half the time of a frozen dataclass.
    """

    code: str
    says: str
    inputs: Mapping[str, str]
    result: str
    unit: str = ""
    binding: bool = False

    def document(self) -> dict[str, Any]:
        """The step as JSON values, its inputs as they are."""
        return {
            "binding": self.binding,
            "code": self.code,
            "inputs": self.inputs,
            "result": self.result,
            "says": self.says,
            "unit": self.unit,
        }


SAYS_MAX = 400  # characters of a sentence, by the contract of recommendations

# Only what is written in braces may be a number: the checker test removes inputs and results and finds no digit left.
SENTENCES = {
    "net": "Inventory position: {on_hand} on hand + {on_order} on order − {reserved} reserved − {backorders} backordered = {result}.",
    "net_leaving": "Inventory position: {on_hand} on hand + {on_order} on order − {leaving} leaving for other locations − {reserved}"
    " reserved − {backorders} backordered = {result}.",
    "calendar": "Ordered on {order_on} it arrives on {arrive_on}; the order after that arrives on {result}, {protection_days} days to cover.",
    "calendar_cut_off": "At {local_time} the cut-off of {cut_off} is over for {missed_on}: ordered on {order_on} it arrives on {arrive_on}; the"
    " order after that arrives on {result}, {protection_days} days to cover.",
    "open_order": "Overdue: {quantity} of {order_id} ({status}, due {arrive_on}) still come in time with probability {probability}: {result} counted.",
    "lead_time": "The lead time is quoted as {quoted_days} days, spread {quoted_spread}; the newest {receipts} deliveries came"
    " {late_days} days after their promise on average: {result} days are counted, spread {spread}.",
    "stock_out": "Without an order expected stock lasts {days_of_cover} days (first empty: {stockout_on}); the probability to run out"
    " before the later receipt is {result}.",
    "scenario": "Signal {kind} ({signal_id}, strength {strength}, probability {probability}, {starts_on} to {ends_on}): reorder point"
    " {point_with} instead of {point_without}, quantity {result} instead of {quantity_without}.",
    "target_cycle_service": "Class {abc_class} is to be without stock-out with probability {goal}: expected demand {protection_demand}"
    " plus safety stock {safety_stock} makes the reorder point {result}.",
    "target_fill_rate": "Class {abc_class} is to have {goal} of demand met from stock: expected demand {protection_demand}"
    " plus safety stock {safety_stock} makes the reorder point {result}.",
    "target_weighed": "Class {abc_class} weighs margin lost {weight_service}, holding {weight_cost} and the worst outcomes {weight_risk}:"
    " expected demand {protection_demand} plus safety stock {safety_stock} weighs least, and makes the reorder point {result}.",
    "economic_quantity": "Order line cost {setup_cost} against holding at {carrying_rate} of {unit_cost} a year, for {yearly_demand}"
    " a year and at most {lot_cover_max_days} days: economic lot {result}.",
    "order_up_to": "Reorder point {reorder_point} + economic lot {economic_lot} = order up to {order_up_to}; position {position}"
    " leaves {result} wanted.",
    "shelf_life": "With a shelf life of {shelf_life_days} days at most {cap} may stand in stock and on order: {result} can be bought.",
    "allotment": "Place {rank} in the list of this run: {result} of {unlimited} allotted; one more unit of the scarce resource"
    " ({resource}) would earn {shadow_price}.",
    "order_expedite": "Order {order_id} brings {units} on {arrive_on}; until then {short_before} are expected to be missed. If it came on"
    " {result} that would be {short_after}: {earned} earned for {cost} of extra cost, {saves} in all.",
    "order_defer": "Order {order_id} brings {units} on {arrive_on}, while the stock before it still lasts. If it came on {result} holding"
    " and risk together would cost {earned} less, for {cost} of changing it: {saves} in all.",
    "order_reduce": "With order {order_id} and all others the position is {position}, above the order-up-to level {order_up_to}: {result}"
    " of its {units} are enough. Not holding the rest saves {saves} beyond {cost} of changing it.",
    "order_cancel": "With order {order_id} and all others the position is {position}, above the order-up-to level {order_up_to}: none of"
    " its {result} due {arrive_on} are needed. Not holding them saves {saves} beyond {cost} of changing it.",
    "transfer": "{from_location} has {available} on its shelf and keeps its reorder point of {floor}: {spare} can go. {result} of them"
    " avoid {avoided} of lost margin here until a bought order comes, add {risk} of risk there and cost {cost} to move: {benefit} in all.",
    "allocate": "{from_location} has {available} on its shelf and keeps its reorder point of {floor}: {spare} can go, less than is wanted."
    " The share that leaves everybody the same chance to run out is {result}: it avoids {avoided} of lost margin here, adds {risk} of"
    " risk there and costs {cost} to move: {benefit} in all.",
    "substitute": "{stands_in_for} has {available} on its shelf and runs out with probability {probability} before its own order can come on"
    " {until}: {short} will be missed from {arrive_on} on, {covered} of them covered already. {ratio} of this product for each, less {spare} it"
    " can spare itself, are {wanted} wanted: {result} bought in its place earn {earns} net.",
    "substitute_claimed": "{stands_in_for} has {available} on its shelf and runs out with probability {probability} before its own order"
    " can come on {until}: {short} will be missed from {arrive_on} on, {covered} of them covered already. {ratio} of this product for each, less"
    " {spare} it can spare beyond {claimed} that stand in for others, are {wanted} wanted: {result} bought in its place earn {earns} net.",
    "filled_up": "The order to this supplier would not reach its {resource}: the best next units fill it up, {result} instead of"
    " {unlimited} (place {rank} in the list of this run).",
    "minimum_and_pack": "Minimum {moq}, packs of {pack}: {wanted} wanted becomes {result} ordered; {excess} more than wanted, worth {excess_cost}.",
    "value": "{quantity} at {unit_cost} cost {result}; rule limit {limit}.",
    "service": "After the order the probability of no stock-out is {result}; minimum {minimum}.",
    "cover": "After the order stock lasts {result} days; maximum {maximum}.",
    "gmroi": "Yearly margin {yearly_margin} on average stock of {average_cost} at cost gives GMROI {result}; minimum {minimum}.",
    "gmroi_unknown": "GMROI is {result}: no selling price is known; minimum {minimum}.",
    "confidence": "Forecast confidence {forecast_confidence}, {age_days} days old, flags {flags}: confidence {result}; minimum {minimum}.",
    "route": "Route: {result} ({reasons}).",
}


# The same sentences as the interpreter fills them fastest: thirteen of them are filled for every order.
_FILLED = {name: re.sub(r"{(\w+)}", r"%(\1)s", said.replace("%", "%%")) for name, said in SENTENCES.items()}


def step(
    code: str,
    inputs: Mapping[str, str],
    result: str,
    *,
    unit: str = "",
    binding: bool = False,
    sentence: str | None = None,
) -> Step:
    """A step with its sentence filled in. Codes of the greatest length may make it longer than the contract allows: its end is
    left out then, as inputs and result say everything."""
    says = _FILLED[sentence or code] % {**inputs, "result": result}
    if len(says) > SAYS_MAX:
        says = says[:SAYS_MAX].rsplit(" ", 1)[0] + "…"  # at a space: half of a number would be another number
    return Step(code, says, inputs, result, unit, binding)


def explanation(steps: tuple[Step, ...]) -> str:
    """What a person reads first: position, risk, target, quantity, what bound it, and who decides."""
    first = ("net", "stock_out", "target", "order_up_to", "route")
    return " ".join(one.says for one in steps if one.code in first or one.binding)
