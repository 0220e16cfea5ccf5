"""A user's own data: the first accounts, and CSV files through the real gateway: what was sold is demand, once."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from cli import demo_access
from cli.errors import Exit, Trouble
from cli.main import main
from countersign_client import ApiProblem
from tests.scenario.stage import Stage

pytestmark = [pytest.mark.scenario, pytest.mark.integration, pytest.mark.timeout(300)]


def test_importing_catalogue_stock_and_sales_twice_counts_them_once(
    bare_stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {
        "locations": "location,name,country\nF1,Filiale 1,DE\n",
        "catalogue": "sku,name,supplier,lead_time_days,unit_cost,currency\nA,Apple,V,2,0.40,EUR\n",
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


def test_first_accounts_are_made_kept_and_renewed_only_when_asked_for(bare_stage: Stage) -> None:
    local, tenant = bare_stage.local, "newcomer"
    file = local.data_dir / demo_access.FILE
    of_the_stage = file.read_bytes()
    try:
        made = demo_access.ensure(local, tenant, renew=False)
        with made.person(local.gateway_url, "planner") as planner, made.machine(local.gateway_url) as machine:
            assert planner.status()["tenant"] == machine.status()["tenant"] == tenant
        assert demo_access.ensure(local, tenant, renew=False) == made
        file.unlink()
        with pytest.raises(Trouble, match="accounts_exist"):
            demo_access.ensure(local, tenant, renew=False)
        renewed = demo_access.ensure(local, tenant, keep=False)
        renewed.person(local.gateway_url, "admin").close()
        with pytest.raises(ApiProblem):
            made.person(local.gateway_url, "admin")
    finally:
        file.write_bytes(of_the_stage)
