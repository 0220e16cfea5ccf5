"""docker-compose.yml really started: everything healthy, nobody privileged, an event goes in and comes out, a restart is survived.

Runs with COUNTERSIGN_TEST_CONTAINERS=1 where a container engine, docker compose and the images are; else says what is missing.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from cli.demo_progress import wait_until
from countersign_client import ApiProblem, Client, Event
from tests.integration.deploy.stack import SERVICES, Stack, image_of, run, started

pytestmark = [pytest.mark.containers, pytest.mark.slow, pytest.mark.timeout(600)]
BASE = "python:3.11-slim"
# What a service's image may weigh beyond its base, in MB (measured: 304 policy, 609 forecaster, 90 the others).
OWN_MEGABYTES_MAX = {"forecaster": 750, "policy": 380, "approvals": 130, "audit": 130, "gateway": 130}
ARRIVES_SECONDS_MAX = 60.0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with started(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="module")
def passwords(stack: Stack) -> dict[str, str]:
    """The first accounts, as a person makes them."""
    rows = stack.demand("run", "--rm", "-T", "accounts", seconds=240).splitlines()
    return dict(row.split("\t") for row in rows if "\t" in row)


@pytest.fixture
def admin(stack: Stack, passwords: dict[str, str]) -> Iterator[Client]:
    with Client(stack.url) as client:
        client.sign_in("admin", passwords["admin"])
        yield client


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_can_write_nowhere_but_where_it_must(stack: Stack, service: str) -> None:
    state = stack.inspected(service)
    assert state["State"]["Health"]["Status"] == "healthy"
    assert state["HostConfig"]["ReadonlyRootfs"] and state["HostConfig"]["CapDrop"] == ["ALL"]
    status = stack.within(service, "cat /proc/1/status").stdout
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert facts["Uid"].split()[1] == facts["Gid"].split()[1] == "65532"
    assert (int(facts["CapEff"], 16), facts["NoNewPrivs"]) == (0, "1")
    for place in ("/app", "/opt/venv", "/secrets", "/etc", "/"):
        assert stack.within(service, f"touch {place}/planted").returncode != 0, f"{service} can write to {place}"
    assert stack.within(service, "touch /tmp/x /data/x && rm /tmp/x /data/x").returncode == 0


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_the_service_and_no_tools(stack: Stack, service: str) -> None:
    tools = "pip gcc cc make git curl wget"
    found = run(["docker", "run", "--rm", image_of(service), "sh", "-c", f"for t in {tools}; do command -v $t; done; ls /root" + "/.cache /var/lib/apt/lists/* 2>/dev/null"])  # fmt: skip
    assert found.stdout.split() == []
    sizes = [int(run(["docker", "image", "inspect", "--format", "{{.Size}}", name]).stdout) for name in (image_of(service), BASE)]  # fmt: skip
    assert (sizes[0] - sizes[1]) / 1e6 < OWN_MEGABYTES_MAX[service]


def test_only_the_gateway_can_be_reached_and_only_with_a_name(stack: Stack, passwords: dict[str, str]) -> None:
    assert sorted(passwords) == ["admin", "approver", "auditor", "planner"]
    with Client(stack.url) as nobody, pytest.raises(ApiProblem) as refused:
        nobody.get("/v1/status")
    assert refused.value.status == 401
    for service in SERVICES:
        ports = stack.inspected(service)["HostConfig"]["PortBindings"] or {}
        assert bool(ports) == (service == "gateway")


def test_an_event_goes_in_and_its_effect_comes_out_also_after_a_restart(stack: Stack, admin: Client) -> None:
    known = {"tenant": "demo", "defined_at": "2017-01-01T00:00:00Z"}
    send(admin, "location.defined.v1", "place", known | {"location": "367", "name": "Store 367"})
    send(admin, "item.defined.v1", "product", known | {"sku": "1029743", "name": "Fluid milk, white"})
    tell(admin, "stock.counted.v1", "count", quantity="58", counted_at="2017-11-05T06:00:00Z")
    tell(admin, "sale.recorded.v1", "sale 1", quantity="2", sold_at="2017-11-05T18:04:11Z")
    await_on_hand(admin, Decimal(56))
    stack.demand("restart", "policy", seconds=120)
    tell(admin, "sale.recorded.v1", "sale 2", quantity="3", sold_at="2017-11-05T18:05:00Z")
    await_on_hand(admin, Decimal(53))


def test_a_stop_is_clean_and_quick_and_what_was_known_is_known_after_it(stack: Stack, admin: Client) -> None:
    tell(admin, "stock.counted.v1", "count", quantity="58", counted_at="2017-11-05T06:00:00Z")
    await_on_hand(admin, Decimal(53))
    stack.demand("stop", *SERVICES, seconds=120)
    ended = {service: stack.inspected(service)["State"]["ExitCode"] for service in SERVICES}
    assert ended == dict.fromkeys(SERVICES, 0)
    stack.demand("up", "--detach", "--no-build", "--pull", "never", "--wait", seconds=280)
    await_on_hand(admin, Decimal(53))


def tell(client: Client, kind: str, name: str, **facts: Any) -> None:
    place = {"tenant": "demo", "sku": "1029743", "location": "367", "business_date": "2017-11-05"}
    send(client, kind, name, place | facts)


def send(client: Client, kind: str, name: str, body: dict[str, Any]) -> None:
    report = client.send([Event(f"stack {name}", "pos/stack", kind, "2017-11-05T18:04:11Z", body)])
    assert not report.rejected, report.rejected


def await_on_hand(client: Client, expected: Decimal) -> None:
    seen: list[Any] = []

    def is_there() -> bool:
        try:
            seen[:] = [client.get("/v1/items/1029743/367").get("position")]
        except ApiProblem as problem:
            seen[:] = [problem.code]
            return False
        return bool(seen[0]) and isinstance(seen[0], dict) and Decimal(seen[0]["on_hand"]) == expected

    assert wait_until(is_there, seconds=ARRIVES_SECONDS_MAX), f"on hand is {seen}, not {expected}"
