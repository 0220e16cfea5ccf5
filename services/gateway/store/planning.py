"""What the policy service and the forecaster published: recommendations, why-nots, runs, forecasts, models."""

from collections.abc import Collection, Sequence

from kit.database import Transaction
from services.gateway.store.rows import Row, as_json


async def put_lines(tx: Transaction, tenant: str, rows: Sequence[Row]) -> None:
    """The newest recommendation of each line; what people decided about the line stays."""
    await tx.execute(
        """
        insert into lines (tenant, line_id, recommendation_id, run_id, sku, location, action, origin, issued_at, supplier,
          from_location, unit, quantity, unit_cost, value, currency, order_on, arrive_on, moq, pack, on_hand, on_order, reserved,
          inventory_position, reorder_point, order_up_to, days_of_cover, stockout_on, stockout_probability, money_at_risk, rank_score,
          confidence, gmroi, approved_by_rule, route_reasons, forecast_id, policy_version, evidence_sha256, explanation, steps,
          projection, changes_order, stands_in_for)
        select $1, line_id, recommendation_id, run_id, sku, location, action, origin, issued_at, supplier, from_location, unit,
          quantity, unit_cost, value, currency, order_on, arrive_on, moq, pack, on_hand, on_order, reserved, inventory_position,
          reorder_point, order_up_to, days_of_cover, stockout_on, stockout_probability, money_at_risk, rank_score, confidence, gmroi,
          approved_by_rule, array(select jsonb_array_elements_text(route_reasons)), forecast_id, policy_version, evidence_sha256,
          explanation, steps, projection, changes_order, stands_in_for
        from jsonb_to_recordset($2::jsonb) as r(line_id text, recommendation_id text, run_id text, sku text, location text, action text,
          origin date, issued_at timestamptz, supplier text, from_location text, unit text, quantity numeric, unit_cost numeric,
          value numeric, currency text, order_on date, arrive_on date, moq numeric, pack numeric, on_hand numeric, on_order numeric,
          reserved numeric, inventory_position numeric, reorder_point numeric, order_up_to numeric, days_of_cover double precision,
          stockout_on date, stockout_probability double precision, money_at_risk numeric, rank_score double precision,
          confidence double precision, gmroi double precision, approved_by_rule boolean, route_reasons jsonb, forecast_id text,
          policy_version integer, evidence_sha256 text, explanation text, steps jsonb, projection jsonb, changes_order text,
          stands_in_for text)
        order by line_id
        on conflict (tenant, line_id) do update set (recommendation_id, run_id, action, origin, issued_at, supplier, from_location,
          unit, quantity, unit_cost, value, currency, order_on, arrive_on, moq, pack, on_hand, on_order, reserved, inventory_position,
          reorder_point, order_up_to, days_of_cover, stockout_on, stockout_probability, money_at_risk, rank_score, confidence, gmroi,
          approved_by_rule, route_reasons, forecast_id, policy_version, evidence_sha256, explanation, steps, projection, changes_order,
          stands_in_for, withdrawn)
        = (excluded.recommendation_id, excluded.run_id, excluded.action, excluded.origin, excluded.issued_at, excluded.supplier,
          excluded.from_location, excluded.unit, excluded.quantity, excluded.unit_cost, excluded.value, excluded.currency,
          excluded.order_on, excluded.arrive_on, excluded.moq, excluded.pack, excluded.on_hand, excluded.on_order, excluded.reserved,
          excluded.inventory_position, excluded.reorder_point, excluded.order_up_to, excluded.days_of_cover, excluded.stockout_on,
          excluded.stockout_probability, excluded.money_at_risk, excluded.rank_score, excluded.confidence, excluded.gmroi,
          excluded.approved_by_rule, excluded.route_reasons, excluded.forecast_id, excluded.policy_version, excluded.evidence_sha256,
          excluded.explanation, excluded.steps, excluded.projection, excluded.changes_order,
          excluded.stands_in_for, false)
        """,
        tenant,
        as_json(rows),
    )


async def withdraw(tx: Transaction, tenant: str, items: Sequence[tuple[str, str, str | None]]) -> list[str]:
    """Close what the newest outcome of each item (sku, location, its line if it has one) replaces; returns those lines."""
    rows = await tx.fetch(
        "update lines l set withdrawn = (l.line_id is distinct from i.line_id) from unnest($2::text[], $3::text[], $4::text[])"
        " as i(sku, location, line_id) where l.tenant = $1 and l.sku = i.sku and l.location = i.location and l.action = 'buy'"
        " and l.withdrawn is distinct from (l.line_id is distinct from i.line_id) returning l.line_id",
        tenant,
        [sku for sku, _, _ in items],
        [location for _, location, _ in items],
        [line for _, _, line in items],
    )
    return [row["line_id"] for row in rows]


async def end_lines(tx: Transaction, tenant: str, line_ids: Collection[str]) -> None:
    """Close lines beside items' own orders whose reason is gone."""
    await tx.execute(
        "update lines set withdrawn = true where tenant = $1 and line_id = any($2::text[])", tenant, sorted(line_ids)
    )


async def put_outcomes(tx: Transaction, tenant: str, rows: Sequence[Row]) -> None:
    """The newest outcome of planning for each item."""
    await tx.execute(
        """
        insert into outcomes (tenant, sku, location, recommendation_id, line_id, origin, on_hand, on_order, reserved, inventory_position,
          reorder_point, order_up_to, days_of_cover, withheld_reason, withheld_says, forecast_id, policy_version)
        select $1, sku, location, recommendation_id, line_id, origin, on_hand, on_order, reserved, inventory_position,
          reorder_point, order_up_to, days_of_cover, withheld_reason, withheld_says, forecast_id, policy_version
        from jsonb_to_recordset($2::jsonb) as r(sku text, location text, recommendation_id text, line_id text, origin date,
          on_hand numeric, on_order numeric, reserved numeric, inventory_position numeric, reorder_point numeric, order_up_to numeric,
          days_of_cover double precision, withheld_reason text, withheld_says text, forecast_id text, policy_version integer)
        order by sku, location
        on conflict (tenant, sku, location) do update set (recommendation_id, line_id, origin, on_hand, on_order, reserved,
          inventory_position, reorder_point, order_up_to, days_of_cover, withheld_reason, withheld_says, forecast_id, policy_version)
        = (excluded.recommendation_id, excluded.line_id, excluded.origin, excluded.on_hand, excluded.on_order, excluded.reserved,
          excluded.inventory_position, excluded.reorder_point, excluded.order_up_to, excluded.days_of_cover, excluded.withheld_reason,
          excluded.withheld_says, excluded.forecast_id, excluded.policy_version)
        """,
        tenant,
        as_json(rows),
    )


async def count_runs(tx: Transaction, tenant: str, rows: Sequence[Row]) -> None:
    """Add to the counts of each planning run; the consumer's transaction makes every outcome count once."""
    await tx.execute(
        """
        insert into runs (tenant, run_id, origin, proposed, withheld, finished_at)
        select $1, run_id, origin, proposed, withheld, finished_at
        from jsonb_to_recordset($2::jsonb) as r(run_id text, origin date, proposed integer, withheld integer, finished_at timestamptz)
        order by run_id
        on conflict (tenant, run_id) do update set origin = greatest(runs.origin, excluded.origin),
          proposed = runs.proposed + excluded.proposed, withheld = runs.withheld + excluded.withheld,
          finished_at = greatest(runs.finished_at, excluded.finished_at)
        """,
        tenant,
        as_json(rows),
    )


async def put_forecasts(tx: Transaction, tenant: str, rows: Sequence[Row]) -> None:
    """The newest forecast of each item."""
    await tx.execute(
        """
        insert into forecasts (tenant, sku, location, forecast_id, origin, strategy, model_id, window_from, window_to, confidence, flags,
          revision, recent_demand, mean_7, mean_28, low_28, high_28, demand)
        select $1, sku, location, forecast_id, origin, strategy, model_id, window_from, coalesce(window_to, origin), confidence,
          array(select jsonb_array_elements_text(flags)), revision, recent_demand, mean_7, mean_28, low_28, high_28, demand
        from jsonb_to_recordset($2::jsonb) as r(sku text, location text, forecast_id text, origin date, strategy text, model_id text,
          window_from date, window_to date, confidence double precision, flags jsonb, revision integer, recent_demand numeric,
          mean_7 double precision, mean_28 double precision, low_28 double precision, high_28 double precision, demand jsonb)
        order by sku, location
        on conflict (tenant, sku, location) do update set (forecast_id, origin, strategy, model_id, window_from, window_to, confidence,
          flags, revision, recent_demand, mean_7, mean_28, low_28, high_28, demand)
        = (excluded.forecast_id, excluded.origin, excluded.strategy, excluded.model_id, excluded.window_from, excluded.window_to,
          excluded.confidence, excluded.flags, excluded.revision, excluded.recent_demand, excluded.mean_7, excluded.mean_28,
          excluded.low_28, excluded.high_28, excluded.demand)
        """,
        tenant,
        as_json(rows),
    )


async def put_models(tx: Transaction, tenant: str, rows: Sequence[Row]) -> None:
    """The champion of each segment: the one promoted last."""
    await tx.execute(
        """
        insert into models (tenant, segment, model_id, strategy, promoted_at, body)
        select $1, segment, model_id, strategy, promoted_at, body
        from jsonb_to_recordset($2::jsonb) as r(segment text, model_id text, strategy text, promoted_at timestamptz, body jsonb)
        order by segment
        on conflict (tenant, segment) do update set model_id = excluded.model_id, strategy = excluded.strategy,
          promoted_at = excluded.promoted_at, body = excluded.body where models.promoted_at <= excluded.promoted_at
        """,
        tenant,
        as_json(rows),
    )


async def settle(tx: Transaction, tenant: str, lines: Collection[str]) -> list[Row]:
    """Bring the status of these lines in step with their decisions and orders; returns those that changed.

    The status is a function of a line's newest recommendation, the newest decision about that recommendation, and its
    orders, so it comes out the same in whatever order their topics were read. The version counts every step of the line.
    """
    if not lines:
        return []
    rows = await tx.fetch(
        """
        update lines l set status = n.status, version = n.version, decided_quantity = n.quantity, decided_value = n.value,
          decided_by = n.decided_by, decided_at = n.decided_at, decision_reason = n.reason_code, snoozed_until = n.snoozed_until
        from (
          select w.line_id, coalesce(v.version, 0) as version, d.quantity, d.value, d.decided_by, d.decided_at, d.reason_code,
            d.snoozed_until,
            case
              when (d.status is null or d.status in ('pending', 'awaiting_second', 'snoozed')) and w.withdrawn then 'withheld'
              when d.status is null then 'pending'
              when d.status in ('approved', 'amended', 'by_rule') and o.order_id is not null then 'released'
              else d.status
            end as status
          from lines w
          left join lateral (select max(version) as version from decisions v where v.tenant = $1 and v.line_id = w.line_id) v on true
          left join lateral (
            select * from decisions d where d.tenant = $1 and d.line_id = w.line_id and d.recommendation_id = w.recommendation_id
              and d.verdict <> 'escalated' -- it counts as a step, but the line waits for what it waited for
            order by d.version desc limit 1) d on true
          left join lateral (select order_id from order_lines o where o.tenant = $1 and o.decision_id = d.decision_id limit 1) o on true
          where w.tenant = $1 and w.line_id = any($2)
        ) n
        where l.tenant = $1 and l.line_id = n.line_id and (l.status, l.version, l.decided_quantity) is distinct from
          (n.status, n.version, n.quantity)
        returning l.line_id, l.recommendation_id, l.sku, l.location, l.status, l.version
        """,
        tenant,
        sorted(lines),
    )
    return [dict(row) for row in rows]
