"""The Kubernetes manifests, rendered by kustomize: valid by the API's own schemas, and by the reviewers' lists."""

import copy
import functools
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from cli.platform.postgres import INITDB_LOCALE
from cli.platform.topics import wanted
from kit.settings import ServiceSettings
from schemas.topics import ALL
from services.approvals.settings import Settings as Approvals
from services.audit.settings import Settings as Audit
from services.forecaster.settings import Settings as Forecaster
from services.gateway.settings import GatewaySettings
from services.policy.settings import Settings as Policy
from tests.unit.deploy import checks
from tests.unit.deploy.checks import Object

ROOT = Path(__file__).resolve().parents[3]
# The version whose schemas the manifests are held to; the package ships them, so nothing is fetched.
KUBERNETES = "1.33"
OVERLAYS = ("base", "overlays/local", "overlays/prod")
# Kinds that operators bring; their schemas are not Kubernetes' own, so their shape is checked below.
CUSTOM = frozenset({"Kafka", "KafkaNodePool", "KafkaTopic", "KafkaUser", "Cluster", "PodMonitor", "PrometheusRule"})
SETTINGS: dict[str, type[ServiceSettings]] = {
    "forecaster": Forecaster,
    "policy": Policy,
    "approvals": Approvals,
    "audit": Audit,
    "gateway": GatewaySettings,
}


@functools.cache
def rendered(overlay: str) -> str:
    """All objects of an overlay as one JSON list: plain types, and quickly parsed by each test that may change them."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed, so the manifests cannot be rendered; install it to run this check")
    done = subprocess.run(
        [kubectl, "kustomize", str(ROOT / "deploy/k8s" / overlay)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.dumps([one for one in yaml.safe_load_all(done.stdout) if one])


def objects(overlay: str) -> list[Object]:
    found: list[Object] = json.loads(rendered(overlay))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_object_is_valid_by_the_schemas_of_the_api(overlay: str) -> None:
    seen = set()
    for one in objects(overlay):
        seen.add(one["kind"])
        if one["kind"] not in CUSTOM:
            kubernetes_validate.validate(one, KUBERNETES, strict=True)
    assert seen >= {"Deployment", "StatefulSet", "NetworkPolicy", "PodDisruptionBudget", "Job", "Service"}


@pytest.mark.parametrize("rule", checks.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_reviewers_list(overlay: str, rule: Callable[[list[Object]], Any]) -> None:
    if overlay == "overlays/local" and rule is checks.replicas_survive_a_node:
        pytest.skip("the local overlay is one of everything on one machine, by intent")
    found = list(rule(objects(overlay)))
    assert not found, "\n".join(found)


def _container(one: Object) -> Object:
    container: Object = one["spec"]["template"]["spec"]["containers"][0]
    return container


PLANTED: list[tuple[str, Callable[[Object], Any]]] = [
    ("images_are_pinned", lambda one: _container(one).update(image="x:latest")),
    ("containers_are_bounded", lambda one: _container(one)["resources"]["limits"].pop("memory")),
    ("pods_are_restricted", lambda one: _container(one)["securityContext"].update(readOnlyRootFilesystem=False)),
    ("pods_are_restricted", lambda one: one["spec"]["template"]["spec"].update(hostNetwork=True)),
    (
        "pods_are_restricted",
        lambda one: one["spec"]["template"]["spec"]["volumes"].append({"name": "h", "hostPath": {"path": "/"}}),
    ),
    ("secrets_are_files", lambda one: _container(one).update(env=[{"name": "P", "valueFrom": {"secretKeyRef": {}}}])),
    ("accounts_are_own_and_mute", lambda one: one["spec"]["template"]["spec"].update(serviceAccountName="default")),
    (
        "probes_are_there_and_differ",
        lambda one: _container(one).update(livenessProbe=_container(one)["readinessProbe"]),
    ),
    ("replicas_survive_a_node", lambda one: one["spec"].update(replicas=1)),
    (
        "selectors_match",
        lambda one: one["spec"]["template"]["metadata"]["labels"].update({"app.kubernetes.io/name": "x"}),
    ),
    ("traffic_is_denied_by_default", lambda one: one["spec"]["template"]["metadata"]["labels"].clear()),
]


@pytest.mark.parametrize(("rule", "plant"), PLANTED)
def test_reviewers_list_catches_what_is_planted(rule: str, plant: Callable[[Object], Any]) -> None:
    spoilt = copy.deepcopy(objects("base"))
    plant(next(one for one in spoilt if one["kind"] == "Deployment" and one["metadata"]["name"] == "policy"))
    assert list(getattr(checks, rule)(spoilt)), f"{rule} did not see it"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_setting_is_one_the_service_knows(overlay: str) -> None:
    everything = objects(overlay)
    (shared,) = [
        one["data"]
        for one in everything
        if one["kind"] == "ConfigMap" and one["metadata"]["name"] == "countersign-settings"
    ]
    for one in everything:
        if one["kind"] not in ("Deployment", "StatefulSet"):
            continue
        service = one["metadata"]["name"]
        given = {**shared, **{variable["name"]: variable["value"] for variable in _container(one).get("env", [])}}
        fields = SETTINGS[service].model_fields
        for name in given:
            plain = name.removeprefix("COUNTERSIGN_").lower()
            assert plain in fields or plain.removesuffix("_file") in fields, f"{service} has no setting {name}"
        mounts = [mount["mountPath"] for mount in _container(one)["volumeMounts"]]
        for name, value in given.items():
            if name.endswith("_FILE"):
                assert any(value.startswith(f"{mount}/") for mount in mounts), (
                    f"{service}: {name}={value} is on no volume"
                )
        secrets = {
            volume["secret"]["secretName"]
            for volume in one["spec"]["template"]["spec"]["volumes"]
            if "secret" in volume
        }
        assert secrets <= {f"countersign-{service}", f"kafka-{service}", "countersign-cluster-ca-cert"}, (
            "a service sees its own secrets only"
        )


def test_objects_of_operators_have_what_makes_them_work() -> None:
    everything = objects("overlays/prod")
    versions = {one["kind"]: one["apiVersion"] for one in everything if one["kind"] in CUSTOM}
    assert versions == {
        **dict.fromkeys(("Kafka", "KafkaNodePool", "KafkaTopic", "KafkaUser"), "kafka.strimzi.io/v1"),
        "Cluster": "postgresql.cnpg.io/v1",
        **dict.fromkeys(("PodMonitor", "PrometheusRule"), "monitoring.coreos.com/v1"),
    }
    clusters = {one["metadata"]["name"] for one in everything if one["kind"] == "Kafka"}
    for one in everything:
        if one["kind"] in ("KafkaTopic", "KafkaUser", "KafkaNodePool"):
            assert one["metadata"]["labels"]["strimzi.io/cluster"] in clusters, "without the label nothing happens"
    topics = {one["metadata"]["name"]: one["spec"] for one in everything if one["kind"] == "KafkaTopic"}
    assert set(topics) == {topic.name for topic in wanted("countersign")}
    for topic in wanted("countersign"):
        spec = topics[topic.name]
        assert spec["partitions"] == topic.partitions
        assert topic.settings.items() <= spec["config"].items()


def test_text_is_ordered_in_the_cluster_as_by_the_local_server() -> None:
    made = {
        overlay: next(
            one["spec"]["bootstrap"]["initdb"]
            for one in objects(overlay)
            if one["apiVersion"] == "postgresql.cnpg.io/v1"
        )
        for overlay in ("overlays/local", "overlays/prod")
    }
    fields = {"encoding": "--encoding", "localeProvider": "--locale-provider", "builtinLocale": "--locale"}
    for initdb in made.values():
        assert tuple(f"{option}={initdb[field]}" for field, option in fields.items()) == INITDB_LOCALE


def test_users_may_do_what_the_map_says_and_nothing_else() -> None:
    users = {
        one["metadata"]["name"]: one["spec"]["authorization"]["acls"]
        for one in objects("overlays/prod")
        if one["kind"] == "KafkaUser"
    }
    assert set(users) == {f"kafka-{service}" for service in SETTINGS}
    for user, acls in users.items():
        service = user.removeprefix("kafka-")
        writes = {
            acl["resource"]["name"]
            for acl in acls
            if acl["resource"]["type"] == "topic" and "Write" in acl["operations"]
        }
        allowed = {topic.on("countersign") for topic in ALL if service in topic.producers}
        allowed |= {topic.dead_on("countersign") for topic in ALL if service in topic.consumers}
        assert writes == allowed
        for acl in acls:
            if acl["resource"]["patternType"] == "prefix":
                assert acl["resource"]["type"] == "transactionalId"
    orders = [
        user
        for user, acls in users.items()
        for acl in acls
        if acl["resource"]["name"] == "countersign.orders.v1" and "Write" in acl["operations"]
    ]
    assert orders == ["kafka-approvals"], "only approvals can put an order on the topic"
