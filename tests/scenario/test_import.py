"""A user's own CSV files through the real gateway: what was sold is demand, what was counted is on the shelf, once."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from cli.errors import Exit
from cli.main import main
from tests.scenario.stage import Stage

pytestmark = [pytest.mark.scenario, pytest.mark.integration, pytest.mark.timeout(300)]


def test_importing_catalogue_stock_and_sales_twice_counts_them_once(
    bare_stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {
        "catalogue": "sku,name,location,time_zone,supplier,lead_time_days,unit_cost,currency\nA,Apple,F1,Europe/Berlin,V,2,0.40,EUR\n",
        "stock": "sku,location,quantity,date\nA,F1,100,2017-11-01T06:00:00\n",
        "sales": "sku,location,quantity,date\nA,F1,2,2017-11-02\nA,F1,2,2017-11-02\nA,F1,5,2017-11-04\nA,F1,x,2017-11-04\n",
    }
    told: list[dict[str, dict[str, int]]] = []
    for _ in range(2):
        reports = {}
        for kind, text in files.items():
            file = tmp_path / f"{kind}.csv"
            file.write_text(text)
            ended = main(["import", str(file), "--kind", kind, "--time-zone", "Europe/Berlin", "--json",
                          "--url", bare_stage.local.gateway_url, "--api-key", bare_stage.access.api_key])  # fmt: skip
            assert ended == (Exit.FAILURE if kind == "sales" else Exit.OK)
            reports[kind] = json.loads(capsys.readouterr().out)
        told.append(reports)
        bare_stage.settle()
        assert bare_stage.on_hand("A", "F1") == Decimal(91)
        assert bare_stage.sold_on("A", "F1", "2017-11-02") == 4
        assert bare_stage.sold_on("A", "F1", "2017-11-04") == 5
    assert (told[0]["sales"]["accepted"], told[0]["sales"]["bad_rows"], told[0]["sales"]["closes"]) == (3, 1, 3)
    assert (told[1]["sales"]["accepted"], told[1]["sales"]["duplicates"]) == (0, 3)
