"""docker-compose.yml as a reader sees it: pinned, checked, bound to this machine, in the right order."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.platform.postgres import INITDB_LOCALE
from deploy.observability.objectives import MONTH_DAYS
from tests.unit.deploy.test_cluster import SETTINGS

ROOT = Path(__file__).resolve().parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
JOBS = {"secrets", "prepare", "accounts"}
OURS = set(SETTINGS)


def test_all_parts_are_there() -> None:
    assert set(SERVICES) == OURS | JOBS | {"kafka", "postgres", "prometheus", "grafana", "otel-collector"}
    assert "version" not in COMPOSE
    assert SERVICES["kafka"]["image"].startswith("apache/kafka:")
    assert SERVICES["postgres"]["image"].startswith("postgres:")


def test_text_is_ordered_as_by_the_local_server() -> None:
    assert tuple(SERVICES["postgres"]["environment"]["POSTGRES_INITDB_ARGS"].split()) == INITDB_LOCALE


@pytest.mark.parametrize("name", SERVICES)
def test_image_has_a_fixed_tag(name: str) -> None:
    image = SERVICES[name]["image"]
    assert re.search(r":(\$\{COUNTERSIGN_VERSION:-)?v?\d+\.\d+", image), image
    assert "latest" not in image


@pytest.mark.parametrize("name", sorted(set(SERVICES) - JOBS))
def test_everything_that_stays_up_is_checked_for_health(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_open_to_this_machine_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:"), f"{name} opens {port} to the network"
    if name in OURS - {"gateway"}:
        assert "ports" not in SERVICES[name], "owner services are reached through the gateway"


@pytest.mark.parametrize("name", sorted(OURS | JOBS))
def test_our_containers_can_do_nothing_they_need_not(name: str) -> None:
    one = SERVICES[name]
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in one
    if name != "secrets":
        assert one.get("user", "65532:65532") == "65532:65532"
        assert "cap_add" not in one


def test_services_start_after_stores_are_healthy_and_prepared() -> None:
    for name in OURS:
        wanted = {part: how["condition"] for part, how in SERVICES[name]["depends_on"].items()}
        assert wanted == {
            "prepare": "service_completed_successfully",
            "kafka": "service_healthy",
            "postgres": "service_healthy",
        }
    assert SERVICES["prepare"]["depends_on"]["postgres"]["condition"] == "service_healthy"


def test_each_service_mounts_its_own_secrets_read_only() -> None:
    for name in OURS:
        secrets = [volume for volume in SERVICES[name]["volumes"] if volume.startswith("secrets-")]
        assert secrets == [f"secrets-{name}:/secrets:ro"]
    used = {
        volume.split(":")[0]
        for one in SERVICES.values()
        for volume in one.get("volumes", [])
        if not volume.startswith(".")
    }
    assert used == set(COMPOSE["volumes"])
    for one in SERVICES.values():
        for volume in one.get("volumes", []):
            if volume.startswith("."):
                assert (ROOT / volume.split(":")[0]).exists(), volume


def test_every_setting_is_one_the_service_knows() -> None:
    for name in OURS:
        for variable in SERVICES[name]["environment"]:
            plain = variable.removeprefix("COUNTERSIGN_").lower()
            fields = SETTINGS[name].model_fields
            assert plain in fields or plain.removesuffix("_file") in fields, f"{name} has no setting {variable}"


def test_observability_is_a_profile_and_the_rest_is_not() -> None:
    profiles = {name: one.get("profiles", []) for name, one in SERVICES.items()}
    assert {name for name, some in profiles.items() if some == ["observability"]} == {
        "prometheus",
        "grafana",
        "otel-collector",
    }
    assert {name for name, some in profiles.items() if not some} == OURS | {"secrets", "prepare", "kafka", "postgres"}


def test_prometheus_scrapes_every_service() -> None:
    config = yaml.safe_load((ROOT / "deploy/observability/prometheus.yaml").read_text("utf-8"))
    (job,) = config["scrape_configs"]
    assert {target["labels"]["service"]: target["targets"] for target in job["static_configs"]} == {
        name: [f"{name}:8080"] for name in OURS
    }
    mounted = {volume.split(":")[1] for volume in SERVICES["prometheus"]["volumes"]}
    assert set(config["rule_files"]) <= mounted


def test_prometheus_keeps_exemplars_and_more_than_the_month_that_budgets_are_of() -> None:
    words = SERVICES["prometheus"]["command"]
    assert "--enable-feature=exemplar-storage" in words
    (kept,) = (word.partition("=")[2] for word in words if word.startswith("--storage.tsdb.retention.time="))
    assert kept.endswith("d") and int(kept.removesuffix("d")) > MONTH_DAYS


def test_dockerfile_is_lean_unprivileged_and_pinned_by_hashes() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    assert "ARG SERVICE" in text and "--require-hashes" in text and "libgomp1" in text
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["python:3.11-slim", "python:3.11-slim"]
    user = re.search(r"^USER (\d+):(\d+)$", text, re.MULTILINE)
    assert user is not None and int(user[1]) >= 10_000 and int(user[2]) >= 10_000
    for source in re.findall(r"^COPY (?!--from)(\S+)", text, re.MULTILINE):
        plain = source.replace("${SERVICE}", "gateway")
        assert list(ROOT.glob(plain)), f"{source} is copied but is not there"
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert "*" in ignored, "nothing goes into the build but what is named"
