"""What goes into the accuracy ledger with every forecast: what it promises at the scored horizons and at the lead time."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np

from kernel.distribution import DAYS, DemandTable
from services.forecaster.domain.accuracy import SCORED_HORIZONS_DAYS, SCORED_LEVELS
from services.forecaster.domain.baseline import SeasonalNaive
from services.forecaster.domain.frame import Frame
from services.forecaster.issuing import Issued
from services.forecaster.store.accuracy import Promise

LeadTimes = Mapping[tuple[str, str], int]
UNITS_E4 = 10_000.0


def promises(frame: Frame, issued: Sequence[Issued], lead_times: LeadTimes) -> list[Promise]:
    """Promises of forecasts, read with the function that every consumer reads them with.

    A correction gives the same origin a new promise; one that speaks of days already closed elsewhere is scored all
    the same, because it is what the buyer had.
    """
    out: list[Promise] = []
    number = {(item.sku, item.location): row for row, item in enumerate(frame.items)}
    for origin in sorted({one.message.origin for one in issued}):
        mine = [one for one in issued if one.message.origin == origin]
        rows = np.array([number[(one.message.sku, one.message.location)] for one in mine], dtype=np.int64)
        naive = np.cumsum(SeasonalNaive(1).expected(frame.panel, frame.panel.column(origin), DAYS, rows).by_day, axis=1)
        model = np.cumsum(np.array([one.model_mean_e4 for one in mine], dtype=np.float64) / UNITS_E4, axis=1)
        table = DemandTable.from_event(
            [one.message.demand.mean_e4 for one in mine], [one.message.demand.quantiles_e2 for one in mine]
        )
        leads = [min(_lead(lead_times, one), DAYS) for one in mine]
        for horizon in sorted({*SCORED_HORIZONS_DAYS, *(lead for lead in leads if lead > 0)}):
            speaks = [position for position, lead in enumerate(leads) if horizon in (*SCORED_HORIZONS_DAYS, lead)]
            part = table.rows(np.array(speaks, dtype=np.int64))
            expected = part.mean(horizon).tolist()
            quantiles = np.column_stack([part.quantile(horizon, level) for level in SCORED_LEVELS]).tolist()
            for place, position in enumerate(speaks):
                message = mine[position].message
                out.append(
                    Promise(
                        message.sku,
                        message.location,
                        origin,
                        horizon,
                        origin + timedelta(days=horizon),
                        leads[position] == horizon,
                        message.model_id,
                        message.strategy,
                        expected[place],
                        float(model[position, horizon - 1]),
                        float(naive[position, horizon - 1]),
                        tuple(quantiles[place]),
                        message.override_ids,
                    )
                )
    return out


def _lead(lead_times: LeadTimes, one: Issued) -> int:
    """Lead time of an item in days; 0 where none is known."""
    key = (one.message.sku, one.message.location)
    return lead_times.get(key, lead_times.get((key[0], ""), 0))
