"""By the clock: asks the identity provider again whether it still vouches for those whose sessions are open here."""

from datetime import timedelta
from typing import Any

from kit import telemetry
from kit.clock import Clock
from kit.database import Database, Transaction
from kit.http import Problem
from services.gateway import account_events
from services.gateway.access import Door
from services.gateway.account_events import By
from services.gateway.domain.sign_on import Arrival, Untrusted
from services.gateway.sealing import Seal
from services.gateway.settings import GatewaySettings
from services.gateway.sign_on import SignOn
from services.gateway.store import accounts, provider_sessions
from services.gateway.store.rows import Row

log = telemetry.get_logger()
EVERY_SECONDS = 10.0
# Of one run: what is left over is due at the next.
SESSIONS_MAX = 200
# A provider that does not answer is no reason to end everybody's work at once, and none to trust its old word for long.
SILENCE_PERIODS_MAX = 4
PROVIDER = "identity_provider"


class Rechecking:
    """Run it again and again. Any number of gateways may: each session is asked for by one of them at a time."""

    def __init__(
        self, database: Database, sign_on: SignOn, door: Door, seal: Seal, settings: GatewaySettings, clock: Clock
    ) -> None:
        self._database = database
        self._sign_on = sign_on
        self._door = door
        self._seal = seal
        self._tenant = settings.default_tenant
        self._period = timedelta(minutes=settings.sign_on_check_minutes)
        self._clock = clock

    async def run(self) -> None:
        """Ask for every session that is due."""
        if not self._sign_on.is_on:
            return
        for _ in range(SESSIONS_MAX):
            async with self._database.transaction(self._tenant) as tx:
                due = await provider_sessions.lock_due(tx, self._tenant, self._clock.now() - self._period)
                if due is None or not await self._ask(tx, due):
                    return

    async def _ask(self, tx: Transaction, due: Row) -> bool:
        """Whether the provider answered, or was silent so long that the session ended: then the next may be asked for."""
        token = self._seal.opened(due["refresh_token"], due["token_sha256"])
        try:
            if token is None:
                raise Untrusted("its token cannot be read: the gateway's key is another one")
            arrival, following = await self._sign_on.again(token, due["sign_on_subject"])
        except Untrusted as error:
            await self._end(tx, due, str(error))
            return True
        except Problem as problem:
            silent = self._clock.now() - due["checked_at"]
            if silent < self._period * SILENCE_PERIODS_MAX:
                return False
            await self._end(tx, due, f"it has not answered for {silent}: {problem.code}")
            return True
        sealed = self._seal.sealed(following, due["token_sha256"])
        await provider_sessions.vouched(
            tx, self._tenant, due["token_sha256"], sid=None, refresh_token=sealed, now=self._clock.now()
        )
        if arrival is not None:
            await refreshed(tx, self._tenant, due, arrival, By(PROVIDER, PROVIDER, self._clock.now()))
            self._door.forget()
        return True

    async def _end(self, tx: Transaction, due: Row, why: str) -> None:
        log.warning("sign_on_ended", username=due["username"], reason=why)
        await accounts.close_session(tx, self._tenant, due["token_sha256"])
        await account_events.account_changed(
            tx, self._tenant, "sessions_ended", due, By(PROVIDER, PROVIDER, self._clock.now())
        )
        self._door.forget()


async def refreshed(tx: Transaction, tenant: str, before: Row, arrival: Arrival, by: By) -> None:
    """Name and roles as the provider gives them today, for every session; without any role they end."""
    await accounts.refresh_signed_on(tx, tenant, before["username"], arrival)
    after: dict[str, Any] = before | {"name": arrival.name, "roles": list(arrival.roles)}
    await account_events.account_differs(tx, tenant, before, after, by)
