"""The bench of derivation: it counts what the command says, and its verdicts can be "not met"."""

import base64
import json
from pathlib import Path

import pytest

from cli.bench_derive import ALWAYS, verdicts
from lab.bench.derive_log import derived
from services.policy.domain.cascade import plan
from services.policy.domain.evidence_text import canonical
from services.policy.domain.outcome import Recommendation
from tests.unit.policy.examples import PLAIN


def log_of(folder: Path, *, quantities: tuple[str | None, ...]) -> Path:
    """An export that no key has signed, of one recommendation for each quantity: the derived one (None), or another."""
    (outcome,) = plan([PLAIN])
    assert isinstance(outcome, Recommendation)
    lines = [json.dumps({"record": "log"}, separators=(",", ":"))]
    for number, quantity in enumerate(quantities):
        event = dict(outcome.document) | {"line_id": f"line-{number}"} | ({"quantity": quantity} if quantity else {})
        value = base64.b64encode(canonical(event)).decode()
        lines.append(json.dumps({"record": "payload", "sha256": "", "salted": False, "salt": None, "value": value}))
    path = folder / "audit.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.slow
def test_what_differs_is_counted_and_named_and_an_unsigned_log_is_not_called_verified(tmp_path: Path) -> None:
    found = derived(log_of(tmp_path, quantities=(None, "999", None)), published=3)
    assert (found["recommendations"], found["agree"], found["are_all_published"]) == (3, 2, True)
    assert "quantity" in found["differing"][0] and not found["log_is_verified"]
    told = verdicts(found)
    assert {name: one["met"] for name, one in told.items()} == {
        "recommendations": False, "share": False, "are_all_published": True, "log_is_verified": False,
    }  # fmt: skip
    assert set(ALWAYS) < set(told)


@pytest.mark.slow
def test_a_log_that_lacks_a_recommendation_is_seen(tmp_path: Path) -> None:
    found = derived(log_of(tmp_path, quantities=(None,)), published=2)
    assert (found["share"], found["are_all_published"]) == (1.0, False)
