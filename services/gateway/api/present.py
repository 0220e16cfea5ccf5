"""From rows to what the API says."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from schemas.forecasts import DAYS, HORIZONS_DAYS, LEVELS
from services.gateway.api import models
from services.gateway.domain import fan as fans
from services.gateway.domain.inbox import due_on
from services.gateway.domain.order_lines import Answer, Change, line_end
from services.gateway.domain.wording import EXCEPTION_KINDS, FORECAST_FLAGS, ROUTE_REASONS, WITHHELD_REASONS, label
from services.gateway.store.rows import Row, amount, day, instant, loaded, plain

# The chart looks as far ahead as a planner decides about: the next four weeks.
CHART_DAYS = 28


def text(value: Decimal | None) -> str:
    return plain(value) or "0"


def etag(version: int) -> str:
    return f'"{version}"'


def coded(words: Any, code: str | None) -> models.Coded | None:
    return None if code is None else models.Coded(code=code, label=label(words, code))


def line(row: Row) -> models.Line:
    quantity, pack = row["shown_quantity"], row["pack"]
    return models.Line(
        recommendation_id=row["recommendation_id"],
        line_id=row["line_id"],
        version=row["version"],
        etag=etag(row["version"]),
        status=row["status"],
        action=row["action"],
        sku=row["sku"],
        location=row["location"],
        item_name=row["item_name"],
        location_name=row["location_name"],
        supplier=row["supplier"],
        supplier_name=row["supplier_name"],
        category=row["category"],
        abc_class=row["abc_class"],
        item_class=row["item_class"],
        unit=row["unit"],
        unit_volume_m3=plain(row["unit_volume"]),
        on_hand=text(row["on_hand"]),
        on_order=text(row["on_order"]),
        reserved=text(row["reserved"]),
        inventory_position=text(row["inventory_position"]),
        reorder_point=text(row["reorder_point"]),
        order_up_to=text(row["order_up_to"]),
        days_of_cover=row["days_of_cover"],
        stock_out_on=day(row["stockout_on"]),
        stock_out_probability=row["stockout_probability"],
        quantity=text(quantity),
        recommended_quantity=text(row["quantity"]),
        pack=plain(pack),
        packs=float(quantity / pack) if pack else None,
        moq=plain(row["moq"]),
        unit_cost=amount(row["unit_cost"]) or "0",
        value=amount(row["shown_value"]) or "0",
        currency=row["currency"],
        order_on=row["order_on"].isoformat(),
        arrives_on=row["arrive_on"].isoformat(),
        from_location=row["from_location"],
        changes_order=row["changes_order"],
        stands_in_for=row["stands_in_for"],
        margin_at_risk=amount(row["money_at_risk"]) or "0",
        rank_score=row["rank_score"],
        gmroi=row["gmroi"],
        confidence=row["confidence"],
        reasons=[models.Coded(code=code, label=label(ROUTE_REASONS, code)) for code in row["route_reasons"]],
        explanation=row["explanation"],
        business_date=row["origin"].isoformat(),
        issued_at=instant(row["issued_at"]) or "",
        decided_by=row["decided_by"],
        decided_at=instant(row["decided_at"]),
        decision_reason=row["decision_reason"],
        snoozed_until=day(row["snoozed_until"]),
        owner=row["owner"],
        asked_since=instant(row["asked_since"]),
        due_at=instant(row["due_at"]),
        escalated=bool(row["escalated"]),
        signatures=row["signatures"],
        asked_by=row["asked_by"] or [],
    )


def steps(row: Row) -> list[models.StepView]:
    return [
        models.StepView(
            number=number,
            name=step["code"],
            sentence=step["says"],
            value=step["result"],
            unit=step.get("unit", ""),
            inputs=step["inputs"],
            binding=step.get("binding", False),
        )
        for number, step in enumerate(loaded(row["steps"]), start=1)
    ]


def decision(row: Row) -> models.DecisionView:
    return models.DecisionView(
        decision_id=row["decision_id"],
        recommendation_id=row["recommendation_id"],
        version=row["version"],
        verdict=row["verdict"],
        recommended_quantity=text(row["quantity_before"]),
        quantity=text(row["quantity"]),
        value=amount(row["value"]) or "0",
        currency=row["currency"],
        reason=row["reason_code"],
        note=row["note"],
        decided_by=row["decided_by"],
        role=row["role"],
        decided_at=instant(row["decided_at"]) or "",
        snoozed_until=day(row["snoozed_until"]),
    )


def comment(row: Row) -> models.CommentView:
    return models.CommentView(
        comment_id=row["comment_id"],
        recommendation_id=row["recommendation_id"],
        text=row["text"],
        by=row["commented_by"],
        at=instant(row["commented_at"]) or "",
    )


def mention(row: Row) -> models.MentionView:
    places = ("sku", "item_name", "location", "location_name")
    shown = {name: row[name] for name in places} | {"seen_at": instant(row["seen_at"])}
    return models.MentionView(**comment(row).model_dump(), **shown)


def evidence(row: Row | None, outcome: Row | None) -> models.Evidence:
    known = row or outcome or {}
    return models.Evidence(
        recommendation_id=known.get("recommendation_id"),
        evidence_sha256=known.get("evidence_sha256"),
        forecast_id=known.get("forecast_id"),
        policy_version=known.get("policy_version"),
        run_id=known.get("run_id"),
        business_date=day(known.get("origin")),
    )


def projection(row: Row) -> models.ProjectionView:
    """The expected stock that came with the recommendation."""
    body = loaded(row["projection"])
    origin = date.fromisoformat(body["origin"])
    without, with_order = body["without_order"], body["with_order"]
    days = [
        models.ProjectedDay(
            date=(origin + timedelta(days=number + 1)).isoformat(),
            with_order=float(with_order[number]) if number < len(with_order) else None,
            without_order=float(value),
        )
        for number, value in enumerate(without)
    ]
    return models.ProjectionView(
        origin=origin.isoformat(),
        reorder_point=float(row["reorder_point"]),
        order_up_to=float(row["order_up_to"]),
        arrives_on=day(row["arrive_on"]),
        days=days,
    )


def published(row: Row) -> fans.Published:
    demand = loaded(row["demand"])
    return fans.Published(row["origin"], HORIZONS_DAYS, LEVELS, demand["mean_e4"], demand["quantiles_e2"])


def fan(row: Row) -> models.Fan:
    forecast = published(row)
    return models.Fan(
        forecast_id=row["forecast_id"],
        model=row["model_id"],
        strategy=row["strategy"],
        origin=row["origin"].isoformat(),
        confidence=row["confidence"],
        flags=list(row["flags"]),
        flags_in_words=[label(FORECAST_FLAGS, code) for code in row["flags"]],
        levels=list(fans.DRAWN_LEVELS),
        days=[
            models.FanDay(date=one.on.isoformat(), mean=one.mean, quantiles=list(one.quantiles))
            for one in fans.day_bands(forecast, CHART_DAYS)
        ],
        cumulative=[
            models.FanSpan(date=one.on.isoformat(), days=one.days, mean=one.mean, quantiles=list(one.quantiles))
            for one in fans.span_bands(forecast)
        ],
    )


def forecast(row: Row) -> models.ForecastRow:
    return models.ForecastRow(
        sku=row["sku"],
        location=row["location"],
        item_name=row.get("item_name"),
        location_name=row.get("location_name"),
        forecast_id=row["forecast_id"],
        model=row["model_id"],
        strategy=row["strategy"],
        origin=row["origin"].isoformat(),
        horizon_days=DAYS,
        mean_next_7=round(row["mean_7"], 2),
        mean_next_28=round(row["mean_28"], 2),
        p10_next_28=row["low_28"],
        p90_next_28=row["high_28"],
        recent_28=plain(row["recent_demand"]),
        confidence=row["confidence"],
        flags=list(row["flags"]),
        flags_in_words=[label(FORECAST_FLAGS, code) for code in row["flags"]],
    )


def item(row: Row) -> models.ItemRow:
    return models.ItemRow(
        **{
            name: row[name]
            for name in (
                "sku",
                "location",
                "item_name",
                "location_name",
                "category",
                "abc_class",
                "supplier",
                "supplier_name",
            )
        },
        on_hand=plain(row["on_hand"]),
        days_of_cover=row["days_of_cover"],
        status=row["status"] if row["line_id"] else "withheld",
        recommendation_id=row["recommendation_id"],
        quantity=plain(row["quantity"]),
        value=amount(row["value"]),
        currency=row["currency"],
        business_date=day(row["origin"]),
        withheld_reason=coded(WITHHELD_REASONS, row["withheld_reason"]),
        withheld_says=row["withheld_says"],
    )


def position(row: Row) -> models.PositionRow:
    return models.PositionRow(
        **{name: row[name] for name in ("sku", "location", "item_name", "location_name", "days_of_cover")},
        on_hand=plain(row["on_hand"]),
        on_order=plain(row["on_order"]),
        reserved=plain(row["reserved"]),
        inventory_position=plain(row["inventory_position"]),
        business_date=day(row["origin"]),
    )


def exception(row: Row, today: date | None = None) -> models.ExceptionView:
    """`today` is the newest business date: what is open after its own last day is overdue."""
    due = due_on(row["kind"], row["raised_on"])
    return models.ExceptionView(
        **{
            name: row[name]
            for name in ("exception_id", "kind", "subject", "sku", "location", "supplier", "owner", "remedy")
        },
        kind_label=label(EXCEPTION_KINDS, row["kind"]),
        item_name=row.get("item_name"),
        money_at_stake=amount(row["money_at_stake"]),
        currency=row["currency"],
        message=row["says"],
        status="open" if row["resolved_on"] is None else "resolved",
        raised_on=row["raised_on"].isoformat(),
        resolved_on=day(row["resolved_on"]),
        resolved_message=row["resolved_says"],
        details=loaded(row["details"]),
        due_on=due.isoformat(),
        overdue=row["resolved_on"] is None and today is not None and today > due,
    )


def order(row: Row, updates: list[Row], changes: list[Row], names: dict[str, str]) -> models.OrderView:
    """`updates`: what was answered to it, oldest first; `changes`: the orders that change or cancel it."""
    lines = loaded(row["lines"])
    answers = [Answer(one["status"], _by_sku(one["lines"])) for one in updates]
    agreed = [Change(one["kind"], one["status"], _by_sku(one["lines"])) for one in changes]
    return models.OrderView(
        **{
            name: row[name]
            for name in (
                "order_id",
                "kind",
                "status",
                "supplier",
                "supplier_name",
                "from_location",
                "changes_order",
                "location",
                "location_name",
                "currency",
            )
        },
        order_on=row["order_on"].isoformat(),
        missed_order_on=day(row["missed_order_on"]),
        expected_on=row["arrive_on"].isoformat(),
        released_at=instant(row["released_at"]) or "",
        value=amount(row["value"]) or "0",
        line_count=len(lines),
        lines=[_order_line(row["kind"], entry, answers, agreed, names) for entry in lines],
        updates=[
            models.OrderUpdateView(
                at=instant(one["updated_at"]) or "", kind=one["status"], note=one["note"], lines=loaded(one["lines"])
            )
            for one in updates
        ],
        changed_by=[
            models.OrderChangeView(**{name: one[name] for name in ("order_id", "kind", "status")}) for one in changes
        ],
    )


def _by_sku(lines: Any) -> dict[str, Decimal]:
    return {entry["sku"]: Decimal(entry["quantity"]) for entry in loaded(lines)}


def _order_line(
    kind: str, entry: dict[str, Any], answers: list[Answer], changes: list[Change], names: dict[str, str]
) -> models.OrderLineView:
    end = line_end(kind, entry["sku"], Decimal(entry["quantity"]), answers, changes)
    return models.OrderLineView(
        line=entry["line_no"],
        item_name=names.get(entry["sku"]),
        quantity=text(Decimal(entry["quantity"])),
        unit_cost=amount(Decimal(entry["unit_cost"])) or "0",
        value=amount(Decimal(entry["value"])) or "0",
        ending=end.ending,
        expected_quantity=text(end.expected),
        received_quantity=plain(end.received),
        **{name: entry[name] for name in ("sku", "unit", "recommendation_id", "decision_id")},
    )
