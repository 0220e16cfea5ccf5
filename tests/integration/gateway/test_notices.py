"""Somebody outside is told: webhooks that a receiver can verify, tried again until it takes them, and mails in one piece."""

import asyncio
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message as Mail

import orjson
import pytest

from schemas.decisions import LineAssigned
from services.gateway.domain import webhooks
from tests import ground
from tests.ground import Ground
from tests.integration.gateway import messages
from tests.integration.gateway.process import Gateway, eventually, make_gateway, said

pytestmark = pytest.mark.integration


@dataclass
class Receiver:
    """The other end of a webhook: answers with the next status of its list, then 200."""

    statuses: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    server: http.server.ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.server_address[1]}/hook?from=countersign"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(made.statuses.pop(0) if made.statuses else 200)
            self.send_header("location", "http://127.0.0.1:1/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    made.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


class Mailbox:
    """A mail server that keeps what it is given; speaks as much SMTP as a sender needs."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait(10)

    def _run(self, ready: threading.Event) -> None:
        async def serve() -> None:
            self._stop = asyncio.Event()
            server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            async with server:
                await self._stop.wait()

        self._loop.run_until_complete(serve())
        self._loop.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 test\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                text = (await reader.readuntil(b"\r\n.\r\n")).removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")
                self.mails.append(message_from_bytes(text))
            writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
            await writer.drain()
            if verb == b"QUIT":
                break
        writer.close()


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    made = Mailbox()
    yield made
    made.close()


@pytest.fixture(scope="module")
def telling(platform: Ground, mailbox: Mailbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that may call this machine, looks often, and has a mail server."""
    with ground.fresh_namespace(platform) as namespace, ground.fresh_database(platform) as database:
        made = make_gateway(platform, namespace, database, tmp_path_factory.mktemp("telling"))
        made.more_env |= {
            "COUNTERSIGN_WEBHOOK_NETWORKS": '["127.0.0.0/8"]',
            "COUNTERSIGN_NOTICE_EVERY_SECONDS": "0.2",
            "COUNTERSIGN_MAIL_EVERY_SECONDS": "0.5",
            "COUNTERSIGN_SMTP_HOST": "127.0.0.1",
            "COUNTERSIGN_SMTP_PORT": str(mailbox.port),
            "COUNTERSIGN_SMTP_STARTTLS": "false",
        }
        made.start()
        yield made
        made.stop()


def assigned(number: int, owner: str = "planner", *, escalated: bool = False, hours: float = 24) -> LineAssigned:
    now = datetime.now(UTC)
    return LineAssigned(
        tenant="acme",
        line_id=f"line-{number}",
        recommendation_id=f"rec-{number}",
        version=int(escalated),
        owner=owner,
        due_at=now + timedelta(hours=hours),
        escalate_to="approver",
        escalated=escalated,
        signatures="one",
        assigned_at=now,
    )


def test_webhook_is_signed_and_tried_again_until_the_receiver_takes_it(telling: Gateway, receiver: Receiver) -> None:
    receiver.statuses = [503, 302]
    with telling.client("admin") as admin:
        made = admin.post("/v1/webhooks", json={"url": receiver.url, "kinds": ["assigned"]})
        assert made.status_code == 201, made.text
        one = assigned(1)
        # Said twice, as after a replay: told once.
        telling.publish(said(one, "approvals"), said(one.model_copy(update={"version": 3}), "approvals"))
        eventually(lambda: len(receiver.got) == 1)
        place = f"/v1/webhooks/{made.json()['webhook_id']}"
        (first,) = eventually(lambda: [d for d in admin.get(f"{place}/deliveries").json()["items"] if d["last_status"]])
        assert (first["state"], first["last_status"], first["attempts"]) == ("waiting", 503, 1)
        # Nobody waits for the schedule in a test: a person asks for it again, and once more after the redirect.
        for count in (2, 3):
            answer = admin.post(f"{place}/deliveries/{first['notice_id']}/again", json={})
            assert answer.status_code == 204, answer.text
            eventually(lambda count=count: len(receiver.got) == count)
        done = eventually(
            lambda: [d for d in admin.get(f"{place}/deliveries").json()["items"] if d["state"] == "delivered"]
        )
        assert len(done) == 1
        assert len({sent["webhook-id"] for sent, _ in receiver.got}) == 1, "the same id each time"
        sent, body = receiver.got[-1]
        signed = webhooks.signature(made.json()["secret"], sent["webhook-id"], int(sent["webhook-timestamp"]), body)
        assert sent["webhook-signature"] == signed
        told = orjson.loads(body)
        assert (told["type"], told["data"]["line_id"], told["data"]["owner"]) == ("line.assigned", "line-1", "planner")
        assert made.json()["secret"] not in admin.get("/v1/webhooks").text


def test_receiver_that_is_gone_ends_its_webhook(telling: Gateway, receiver: Receiver) -> None:
    receiver.statuses = [410]
    with telling.client("admin") as admin:
        made = admin.post("/v1/webhooks", json={"url": receiver.url, "kinds": ["escalated"]}).json()
        telling.publish(said(assigned(2, "approver", escalated=True), "approvals"))

        def ended() -> bool:
            (mine,) = [w for w in admin.get("/v1/webhooks").json()["items"] if w["webhook_id"] == made["webhook_id"]]
            return mine["disabled_at"] is not None and mine["waiting"] == 0

        eventually(ended)
        telling.publish(said(assigned(3, "approver", escalated=True), "approvals"))
        assert admin.delete(f"/v1/webhooks/{made['webhook_id']}").status_code == 204


def test_released_order_and_a_line_that_is_nearly_due_are_told(telling: Gateway, receiver: Receiver) -> None:
    eggs = messages.issued(sku="EGGS", approved_by_rule=True, route_reasons=())
    decision = messages.decided(eggs, "approved_by_rule", decided_by="rule", role="rule")
    milk = messages.issued()
    due = assigned(9, "planner", hours=0.5).model_copy(
        update={"line_id": milk.line_id, "recommendation_id": milk.recommendation_id}
    )
    with telling.client("admin") as admin:
        admin.post("/v1/webhooks", json={"url": receiver.url, "kinds": ["released", "due"]})
        telling.publish(said(eggs), said(milk), said(decision, "approvals"))
        telling.publish(said(messages.ordered(eggs, decision), "approvals"), said(due, "approvals"))
        eventually(lambda: {orjson.loads(body)["type"] for _, body in receiver.got} == {"order.released", "line.due"})


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest/", "http://[::1]:9/", "ftp://example.com/x", "https://u:p@example.com/"]
)
def test_address_nobody_may_be_made_to_call_is_refused_with_field_and_reason(telling: Gateway, url: str) -> None:
    with telling.client("admin") as admin:
        answer = admin.post("/v1/webhooks", json={"url": url, "kinds": ["due"]})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "url"


def test_person_is_mailed_once_for_all_lines_that_are_theirs(telling: Gateway, mailbox: Mailbox) -> None:
    with telling.client("approver") as person:
        wanted = {"notify": {"email": "eva@example.com", "on": ["assigned"]}}
        assert person.put("/v1/preferences", json=wanted).status_code == 204
    mailbox.mails.clear()
    telling.publish(*(said(assigned(number, "approver"), "approvals") for number in range(20, 24)))
    telling.publish(said(assigned(30, "somebody-else"), "approvals"))

    def lines() -> list[str]:
        texts = [
            bytes(mail.get_payload(decode=True) or b"").decode()
            for mail in mailbox.mails
            if mail["To"] == "eva@example.com"
        ]
        return [line for text in texts for line in text.splitlines() if line.startswith("You answer for")]

    eventually(lambda: len(lines()) == 4)
    assert not any("line-30" in line for line in lines())
    assert len(mailbox.mails) <= 2, "not a mail for every line"
