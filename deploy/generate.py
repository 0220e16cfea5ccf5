"""Writes every file of deploy/ that follows from something else: `python -m deploy.generate`; `--check` only compares."""

import sys
from pathlib import Path

import yaml

from deploy import kafka_objects, locks
from deploy.observability import alerts, dashboards

HERE = Path(__file__).resolve().parent


def files() -> dict[Path, str]:
    """Path and text of each made file."""
    strimzi, monitoring = HERE / "k8s/components/strimzi", HERE / "k8s/components/monitoring"
    pages = {f"{one.uid}.json": dashboards.text(one) for one in dashboards.ALL}
    shown = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "countersign-dashboards", "labels": {"grafana_dashboard": "1"}},
        "data": pages,
    }
    made = {
        strimzi / "topics.yaml": kafka_objects.topics_text(),
        strimzi / "users.yaml": kafka_objects.users_text(),
        monitoring / "rules.yaml": alerts.operator_text(),
        monitoring / "dashboards.yaml": "# Made by `python -m deploy.generate`.\n"
        + yaml.safe_dump(shown, sort_keys=False),
        HERE / "observability/alerts.yaml": alerts.prometheus_text(),
    }
    made |= {HERE / "observability/dashboards" / name: text for name, text in pages.items()}
    made |= {HERE / "locks" / f"{service}.lock": locks.lock_of(service) for service in locks.SERVICES}
    return made


def stale() -> list[Path]:
    """Made files that are missing or not what they would be made to be now."""
    return [path for path, text in files().items() if not path.exists() or path.read_text("utf-8") != text]


def main() -> int:
    """The command."""
    if "--check" in sys.argv[1:]:
        old = stale()
        for path in old:
            print(f"{path.relative_to(HERE.parent)} is stale; run `python -m deploy.generate`", file=sys.stderr)
        return 1 if old else 0
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
