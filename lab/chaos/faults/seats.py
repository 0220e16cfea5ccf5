"""Faults of people: fifty decisions about one line at the same moment."""

import asyncio
from typing import Any

import httpx2

from countersign_client import ApiProblem, Unreachable
from kernel.ids import derived_id
from lab.chaos.clients import CALL_SECONDS_MAX
from lab.chaos.faults.scene import Fault, Scene

RACERS = 50
ATTEMPTS = 4


def concurrent_decisions(scene: Scene) -> None:
    """One line, fifty approvals and rejections with different keys: one wins, forty-nine are told so.

    The planners are at it too: a line that one of them decides first is no race, and another one is tried.
    """
    shop = scene.rng.choice(scene.crowd.shops)
    try:
        with scene.crowd.sign_in(shop.tenant, "planner") as client:
            for _ in range(ATTEMPTS):
                row = next(iter(client.recommendations(status="pending", limit=1)), None)
                if row is None:
                    break
                answers = asyncio.run(_race(scene, row, dict(client._transport._http.cookies)))
                if any(200 <= status < 300 for status in answers):
                    scene.counts["races won once"] += 1
                    scene.counts["races lost"] += sum(1 for status in answers if status in (409, 412))
                    return
    except (ApiProblem, Unreachable):
        scene.counts["races nobody answered"] += 1
        return
    scene.counts["no line to race for"] += 1


async def _race(scene: Scene, row: dict[str, Any], cookies: dict[str, str]) -> list[int]:
    origin = scene.stand.gateway_url
    async with httpx2.AsyncClient(
        base_url=origin, cookies=cookies, headers={"origin": origin}, timeout=CALL_SECONDS_MAX
    ) as http:
        return list(await asyncio.gather(*(_run(scene, http, row, number) for number in range(RACERS))))


async def _run(scene: Scene, http: httpx2.AsyncClient, row: dict[str, Any], number: int) -> int:
    verdict = "approve" if number % 2 == 0 else "reject"
    value = {"recommendation_id": row["recommendation_id"], "version": row["version"], "verdict": verdict}
    process = f"racer-{number}"
    key = derived_id("chaos", process, row["recommendation_id"], str(row["version"]))
    headers = {"If-Match": f'"{row["version"]}"', "Idempotency-Key": key}
    body = {"verdict": verdict} | ({"reason": "not_needed"} if verdict == "reject" else {})
    scene.crowd.history.add(process, "invoke", "decide", value)
    try:
        path = f"/v1/recommendations/{row['recommendation_id']}/decisions"
        answer = await http.post(path, json=body, headers=headers)
    except httpx2.HTTPError as silence:
        scene.crowd.history.add(process, "info", "decide", value, str(silence)[:200])
        return 0
    if answer.status_code >= 500:
        scene.crowd.history.add(process, "info", "decide", value, answer.text[:200])
    elif answer.is_success:
        scene.crowd.history.add(process, "ok", "decide", value)
    else:
        scene.crowd.history.add(process, "fail", "decide", value, f"{answer.status_code}")
    return int(answer.status_code)


FAULTS = (Fault("concurrent-decisions", 33, "fifty decisions about one line at once", concurrent_decisions),)
