"""Mails people what waits for them: one mail a person and look, however many lines, so that a morning is not eighty mails."""

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from typing import Any

from kit import telemetry
from kit.clock import Clock
from kit.database import Database
from services.gateway.domain.notices import KINDS, Notice, sentence
from services.gateway.notices import discreet
from services.gateway.settings import GatewaySettings
from services.gateway.store import notices

log = telemetry.get_logger()
MAILS = telemetry.counter("mails_total", "Mails to people, by outcome", ("outcome",))
NOTICES_A_LOOK_MAX = 500
LINES_A_MAIL_MAX = 25
TIMEOUT_SECONDS = 20.0


def wanted_by(person: dict[str, Any], told: list[Notice]) -> list[Notice]:
    """Which of these this person asked for: theirs by name or by role, and orders when they want those."""
    mine = {person["username"], *person["roles"]}
    kinds = set(person["notify"].get("on") or KINDS)
    return [one for one in told if one.kind in kinds and (one.recipient is None or one.recipient in mine)]


def message(sender: str, to: str, told: list[Notice], link: str) -> EmailMessage:
    """The mail. Header values are set by the library, which refuses line breaks in them."""
    mail = EmailMessage()
    mail["From"], mail["To"] = sender, to
    first = sentence(told[0])
    mail["Subject"] = f"Countersign: {first}" if len(told) == 1 else f"Countersign: {len(told)} things for you"
    shown = [sentence(one) for one in told[:LINES_A_MAIL_MAX]]
    more = [f"… and {len(told) - LINES_A_MAIL_MAX} more."] if len(told) > LINES_A_MAIL_MAX else []
    mail.set_content("\n".join([*shown, *more, "", f"Decide in the queue: {link}", ""]))
    return mail


class Mailer:
    """Run it every few minutes; does nothing without an SMTP server."""

    def __init__(self, database: Database, clock: Clock, settings: GatewaySettings) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings

    async def run(self) -> None:
        """Mail what was not mailed yet. What the server does not take is tried again at the next look."""
        if not self._settings.smtp_host:
            return
        for tenant in await self._database.tenants():
            now = self._clock.now()
            async with self._database.transaction(tenant) as tx:
                told = await notices.claim_mail(tx, tenant, now, NOTICES_A_LOOK_MAX)
                people = await notices.addresses(tx, tenant) if told else []
            if not told:
                continue
            told = await discreet.fit_to_read(self._database, tenant, told, now.date())
            link, sender = f"{self._settings.public_url}/queue", self._settings.mail_from
            mails = [
                message(sender, person["notify"]["email"], mine, link)
                for person in people
                if (mine := wanted_by(person, told))
            ]
            try:
                await asyncio.to_thread(self._send, mails)
            except (OSError, smtplib.SMTPException) as error:
                MAILS.labels("failed").inc()
                log.warning("mail_failed", error=f"{type(error).__name__}: {error}"[:300], mails=len(mails))
                continue
            MAILS.labels("sent").inc(len(mails))
            # After a crash just here people are mailed twice, never not at all.
            async with self._database.transaction(tenant) as tx:
                await notices.mailed(tx, tenant, [one.notice_id for one in told], now)

    def _send(self, mails: list[EmailMessage]) -> None:
        if not mails:
            return
        settings = self._settings
        with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=TIMEOUT_SECONDS) as server:
            if settings.smtp_starttls:
                server.starttls(context=ssl.create_default_context())
            if settings.smtp_user and settings.smtp_password:
                server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
            for mail in mails:
                try:
                    server.send_message(mail)
                except smtplib.SMTPRecipientsRefused as error:
                    log.warning("mail_refused", recipients=len(error.recipients))
