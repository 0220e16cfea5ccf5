"""Our own reading of the reviewers' lists (kube-score, kube-linter, Pod Security `restricted`): one rule, one sentence per breach."""

from collections.abc import Callable, Iterator
from typing import Any

Object = dict[str, Any]
WORKLOADS = ("Deployment", "StatefulSet", "Job")
# One process by design: the comment on top of its file says why, so one replica is no mistake there.
SINGLE = frozenset({"forecaster", "audit"})


def name_of(one: Object) -> str:
    return f"{one['kind']}/{one['metadata']['name']}"


def workloads(objects: list[Object]) -> Iterator[Object]:
    yield from (one for one in objects if one["kind"] in WORKLOADS)


def pod_of(one: Object) -> Object:
    pod: Object = one["spec"]["template"]["spec"]
    return pod


def labels_of(one: Object) -> dict[str, str]:
    labels: dict[str, str] = one["spec"]["template"]["metadata"]["labels"]
    return labels


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a label selector matches."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    return all(
        expression["operator"] == "In" and labels.get(expression["key"]) in expression["values"]
        for expression in selector.get("matchExpressions") or []
    )


def images_are_pinned(objects: list[Object]) -> Iterator[str]:
    for one in workloads(objects):
        for container in pod_of(one)["containers"]:
            tag = container["image"].rpartition("/")[2].partition(":")[2]
            if not tag or tag == "latest":
                yield f"{name_of(one)}: image {container['image']} has no fixed tag"


def containers_are_bounded(objects: list[Object]) -> Iterator[str]:
    for one in workloads(objects):
        for container in pod_of(one)["containers"]:
            for side in ("requests", "limits"):
                missing = {"cpu", "memory", "ephemeral-storage"} - set(container.get("resources", {}).get(side, {}))
                if missing:
                    yield f"{name_of(one)}: no {side} of {', '.join(sorted(missing))}"


def pods_are_restricted(objects: list[Object]) -> Iterator[str]:
    """Pod Security Standard `restricted`, with a read-only root and high user ids on top."""
    for one in workloads(objects):
        pod = pod_of(one)
        for forbidden in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.get(forbidden):
                yield f"{name_of(one)}: {forbidden}"
        if pod.get("securityContext", {}).get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{name_of(one)}: no RuntimeDefault seccomp profile"
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            context = container.get("securityContext", {})
            wanted = {
                "allowPrivilegeEscalation": False,
                "privileged": False,
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
            }
            yield from (
                f"{name_of(one)}: {key} is not {value}"
                for key, value in wanted.items()
                if context.get(key) is not value
            )
            if context.get("runAsUser", 0) < 10_000 or context.get("runAsGroup", 0) < 10_000:
                yield f"{name_of(one)}: user or group id below 10000"
            if context.get("capabilities") != {"drop": ["ALL"]}:
                yield f"{name_of(one)}: does not drop ALL capabilities"
        for volume in pod.get("volumes", []):
            kind = next(key for key in volume if key != "name")
            if kind not in (
                "configMap",
                "emptyDir",
                "secret",
                "projected",
                "persistentVolumeClaim",
                "downwardAPI",
                "csi",
                "ephemeral",
            ):
                yield f"{name_of(one)}: volume {volume['name']} is a {kind}"


def secrets_are_files(objects: list[Object]) -> Iterator[str]:
    for one in workloads(objects):
        for container in pod_of(one)["containers"]:
            if any("secretRef" in source for source in container.get("envFrom", [])):
                yield f"{name_of(one)}: a secret becomes environment variables"
            for variable in container.get("env", []):
                if "secretKeyRef" in variable.get("valueFrom", {}):
                    yield f"{name_of(one)}: {variable['name']} is a secret in the environment"
    yield from (f"{name_of(one)}: a secret in the repository" for one in objects if one["kind"] == "Secret")


def accounts_are_own_and_mute(objects: list[Object]) -> Iterator[str]:
    accounts = {one["metadata"]["name"] for one in objects if one["kind"] == "ServiceAccount"}
    for one in workloads(objects):
        pod = pod_of(one)
        if pod.get("serviceAccountName", "default") not in accounts:
            yield f"{name_of(one)}: service account is missing or the default one"
        if pod.get("automountServiceAccountToken") is not False:
            yield f"{name_of(one)}: mounts a token for the cluster's API"


def probes_are_there_and_differ(objects: list[Object]) -> Iterator[str]:
    for one in objects:
        if one["kind"] not in ("Deployment", "StatefulSet"):
            continue
        for container in pod_of(one)["containers"]:
            probes = {kind: container.get(f"{kind}Probe") for kind in ("startup", "liveness", "readiness")}
            yield from (f"{name_of(one)}: no {kind} probe" for kind, probe in probes.items() if not probe)
            if (
                probes["liveness"]
                and probes["readiness"]
                and probes["liveness"]["httpGet"] == probes["readiness"]["httpGet"]
            ):
                yield f"{name_of(one)}: liveness asks what readiness asks, so an outage restarts pods"


def replicas_survive_a_node(objects: list[Object]) -> Iterator[str]:
    scaled = {one["spec"]["scaleTargetRef"]["name"]: one for one in objects if one["kind"] == "HorizontalPodAutoscaler"}
    budgets = [one for one in objects if one["kind"] == "PodDisruptionBudget"]
    for one in objects:
        if one["kind"] not in ("Deployment", "StatefulSet"):
            continue
        name, pod = one["metadata"]["name"], pod_of(one)
        if name not in SINGLE and one["spec"].get("replicas", 1) < 2 and name not in scaled:
            yield f"{name_of(one)}: fewer than two replicas"
        if not any(selects(budget["spec"]["selector"], labels_of(one)) for budget in budgets):
            yield f"{name_of(one)}: no disruption budget"
        if "podAntiAffinity" not in pod.get("affinity", {}):
            yield f"{name_of(one)}: replicas may share a node"
        if not pod.get("topologySpreadConstraints"):
            yield f"{name_of(one)}: replicas may share a zone"
        if pod.get("terminationGracePeriodSeconds", 30) < 60:
            yield f"{name_of(one)}: too little time to finish a batch"


def selectors_match(objects: list[Object]) -> Iterator[str]:
    pods = [labels_of(one) for one in workloads(objects)]
    for one in objects:
        if one["kind"] == "Service" and not any(selects({"matchLabels": one["spec"]["selector"]}, pod) for pod in pods):
            yield f"{name_of(one)}: dangles, no pod matches"
        if one["kind"] == "Service" and one["spec"].get("type", "ClusterIP") != "ClusterIP":
            yield f"{name_of(one)}: is open outside the cluster"
        if one["kind"] in ("Deployment", "StatefulSet") and not selects(one["spec"]["selector"], labels_of(one)):
            yield f"{name_of(one)}: does not select its own pods"


def traffic_is_denied_by_default(objects: list[Object]) -> Iterator[str]:
    policies = [one for one in objects if one["kind"] == "NetworkPolicy"]
    if not any(one["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} for one in policies):
        yield "no policy that denies everything"
    for one in policies:
        selector = one["spec"]["podSelector"]
        if (
            not selector
            or "strimzi.io/cluster" in selector.get("matchLabels", {})
            or "cnpg.io/cluster" in selector.get("matchLabels", {})
        ):
            continue
        if not any(selects(selector, labels_of(workload)) for workload in workloads(objects)):
            yield f"{name_of(one)}: targets no pod"
    for workload in workloads(objects):
        for direction in ("Ingress", "Egress"):
            if workload["kind"] == "Job" and direction == "Ingress":
                continue
            if not any(
                one["spec"]["podSelector"]
                and selects(one["spec"]["podSelector"], labels_of(workload))
                and direction in one["spec"]["policyTypes"]
                for one in policies
            ):
                yield f"{name_of(workload)}: no {direction.lower()} policy of its own"


def jobs_end(objects: list[Object]) -> Iterator[str]:
    for one in objects:
        if one["kind"] == "Job":
            for key in ("backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"):
                if key not in one["spec"]:
                    yield f"{name_of(one)}: no {key}"


def namespaces_are_restricted(objects: list[Object]) -> Iterator[str]:
    for one in objects:
        if (
            one["kind"] == "Namespace"
            and one["metadata"]["labels"].get("pod-security.kubernetes.io/enforce") != "restricted"
        ):
            yield f"{name_of(one)}: does not enforce the restricted standard"


RULES: tuple[Callable[[list[Object]], Iterator[str]], ...] = (
    images_are_pinned,
    containers_are_bounded,
    pods_are_restricted,
    secrets_are_files,
    accounts_are_own_and_mute,
    probes_are_there_and_differ,
    replicas_survive_a_node,
    selectors_match,
    traffic_is_denied_by_default,
    jobs_end,
    namespaces_are_restricted,
)
